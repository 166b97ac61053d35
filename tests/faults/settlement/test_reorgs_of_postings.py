"""Re-orgs deeper than what counted as final, under postings: none is lost, none comes twice."""

import psycopg
import pytest

from orchestration.chain import local
from tests.faults.settlement.test_disputes import (
    dispute,
    do,
    pending_name,
    post_only,
    states,
    top_up_bond,
)
from tests.faults.settlement.test_named_stops import stopped
from tests.money_model import check_money
from tests.settlement_world import World, crash_after, run


def take_back(world: World, blocks: int) -> None:
    """The last blocks go, and what they held is in no pool."""
    world.ask("anvil_reorg", blocks, [])
    world.ask("anvil_dropAllTransactions")
    world.mine(8)


def mined_at(world: World, purpose: str) -> int:
    with psycopg.connect(world.dsn) as connection:
        row = connection.execute(
            "select min(block) from transactions where purpose = %s", (purpose,)
        ).fetchone()
    assert row
    return int(row[0])


def take_back_from(world: World, purpose: str) -> None:
    """Everything from the block of a transaction on."""
    take_back(world, world.chain.node.head - mined_at(world, purpose) + 1)


def purposes(world: World) -> list[str]:
    with psycopg.connect(world.dsn) as connection:
        rows = connection.execute("select purpose from transactions order by transaction_id")
        return [purpose for (purpose,) in rows]


@pytest.mark.parametrize("first", ["commit:1", "post:1"])
def test_settle__taken_back_after_the_posting_was_sent__is_sent_again_and_active(world, first):
    world.close_one()
    with pytest.raises(KeyboardInterrupt):
        run(world, checkpoint=crash_after("after sent"))
    sent = purposes(world)
    take_back_from(world, first)
    report = run(world)
    assert (report.rejected, report.active) == ([], [1])
    assert purposes(world) == [*sent, "activate:1"]
    check_money(world)


def test_settle__taken_back_while_the_posting_is_followed__is_not_taken_for_dropped(slow_world):
    post_only(slow_world)
    real, taken = slow_world.settlement, []

    def settlement(connection, **options):
        made = real(connection, **options)
        follow = made.actions.final_state

        def final_state():
            if not taken:
                taken.append(take_back_from(slow_world, "post:1"))
            return follow()

        made.actions.final_state = final_state
        return made

    slow_world.settlement = settlement
    report = run(slow_world, wait_s_max=100)
    assert taken
    assert (report.rejected, report.active) == ([], [1])
    check_money(slow_world)


@pytest.mark.parametrize("first", ["commit:1", "post:1", "activate:1"])
def test_settle__taken_back_after_it_was_active__is_active_again(world, first):
    world.close_one()
    run(world)
    take_back_from(world, first)
    assert run(world).rejected == []
    assert states(world) == [(1, 1, "active")]
    check_money(world)
    world.close_one()
    if first == "commit:1":
        assert stopped(world) == "finality_broken"
        world.index(0, may_rewind_finalized=True)
    assert run(world).active == [2]
    check_money(world)


def test_settle__two_active_postings_taken_back__are_active_again_in_order(world):
    for _ in range(2):
        world.close_one()
        run(world)
    take_back_from(world, "post:1")
    run(world)
    assert states(world) == [(1, 1, "active"), (2, 1, "active")]
    check_money(world)


def test_settle__taken_back_with_a_nonce_in_flight__ends_both(world):
    world.close_one()
    run(world)
    world.close_one()
    with pytest.raises(KeyboardInterrupt):
        run(world, checkpoint=crash_after("after reserved"))
    take_back_from(world, "activate:1")
    assert run(world).active == [2]
    check_money(world)


def test_settle__commit_that_reverts_when_it_is_sent_again__is_committed_anew(world):
    world.close_one()
    run(world)
    take_back_from(world, "commit:1")
    flag = world.chain.contract.read("PAUSE_POST")
    do(world, local.OWNER, "pause", flag)
    assert stopped(world) == "call_refused"
    do(world, local.OWNER, "unpause", flag)
    run(world)
    assert purposes(world).count("commit:1") == 2
    check_money(world)


def test_settle__reorg_brings_back_a_rejected_root__is_a_named_stop_until_it_is_dropped(slow_world):
    post_only(slow_world)
    dispute(slow_world)
    do(slow_world, local.ARBITER, "resolveDispute", *pending_name(slow_world), True)
    top_up_bond(slow_world)
    assert run(slow_world, wait_s_max=0).rejected == [1]
    take_back_from(slow_world, "post:1")
    assert stopped(slow_world, wait_s_max=0) == "rejected_pending"
    dispute(slow_world)
    do(slow_world, local.ARBITER, "resolveDispute", *pending_name(slow_world), True)
    top_up_bond(slow_world)
    assert stopped(slow_world, wait_s_max=100) == "finality_broken"
    slow_world.index(0, may_rewind_finalized=True)
    run(slow_world, wait_s_max=100)
    assert states(slow_world)[-1][2] == "active"
    check_money(slow_world)


def test_settle__active_root_disputed_after_the_reorg_and_dropped__is_a_named_stop(slow_world):
    post_only(slow_world)
    assert run(slow_world, wait_s_max=100).active == [1]
    take_back_from(slow_world, "post:1")
    assert run(slow_world, wait_s_max=0).waiting["for"] == "activation"
    dispute(slow_world)
    do(slow_world, local.ARBITER, "resolveDispute", *pending_name(slow_world), True)
    top_up_bond(slow_world)
    assert stopped(slow_world) == "activation_undone"
