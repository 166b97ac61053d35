"""Disputes, pauses and drops: a posting's ends that are not an active root."""

import pytest

from distributary.store import connect
from orchestration.chain import local
from orchestration.chain.proofs import find_proof, trees_in
from orchestration.running import deposit_bond
from orchestration.settlement.rows import release_settler_lock
from orchestration.settlement.stops import StopError
from tests.money_model import check_money
from tests.settlement_world import CREDIT_UNITS, World, crash_after, run
from tests.signed_answers import charge_units

DISPUTER, LEAVER = 5, 3


def post_only(world: World) -> None:
    """A run that ends while the root is pending: nothing is waited for."""
    world.close_one()
    report = run(world, wait_s_max=0)
    assert (report.posted, report.active) == ([1], [])
    assert report.waiting["for"] == "activation"


def do(world: World, number: int, function: str, *arguments: object) -> None:
    """A transaction of somebody else, mined at once."""
    world.ask("evm_setAutomine", True)
    world.chain.do(number, function, *arguments)
    world.ask("evm_setAutomine", False)
    world.mine(5)


def pending_name(world: World) -> tuple[int, int]:
    """First epoch and attempt of the pending root, by which disputes name it."""
    pending = world.chain.contract.read("pending")
    return pending[1], pending[3]


def dispute(world: World) -> None:
    world.ask("evm_setAutomine", True)
    sender, bond = world.chain.sender(DISPUTER), int(world.chain.contract.read("bondNow"))
    local.mint_missing(sender, world.chain.token, bond)
    approval = world.chain.token.encode("approve", world.chain.contract.address, bond)
    sender.send(world.chain.token.address, approval, "approve")
    world.chain.do(DISPUTER, "depositBond", bond)
    world.chain.do(DISPUTER, "dispute", *pending_name(world))
    world.ask("evm_setAutomine", False)
    world.mine(5)


def top_up_bond(world: World) -> None:
    """What `settle --bond` does."""
    with connect(world.dsn, autocommit=True) as connection:
        deposit_bond(world.settlement(connection))
        release_settler_lock(connection)


def top_up_bond_elsewhere(world: World) -> None:
    """More than is missing yet, by transactions that settlement knows nothing of."""
    world.ask("evm_setAutomine", True)
    sender, bond = world.chain.sender(local.SETTLER), 4 * int(world.chain.contract.read("bondNow"))
    before = world.nonce()
    local.mint_missing(sender, world.chain.token, bond)
    approval = world.chain.token.encode("approve", world.chain.contract.address, bond)
    sender.send(world.chain.token.address, approval, "approve")
    world.chain.do(local.SETTLER, "depositBond", bond)
    world.foreign += world.nonce() - before
    world.ask("evm_setAutomine", False)


def states(world: World) -> list[tuple[int, int, str]]:
    import psycopg

    with psycopg.connect(world.dsn) as connection:
        return connection.execute(
            "select from_epoch, attempt, state from postings order by posting_id"
        ).fetchall()


def test_settle__dispute_upheld__the_next_attempt_carries_the_same_epochs(slow_world):
    post_only(slow_world)
    dispute(slow_world)
    assert run(slow_world, wait_s_max=0).waiting["for"] == "arbiter"
    do(slow_world, local.ARBITER, "resolveDispute", *pending_name(slow_world), True)
    top_up_bond(slow_world)
    report = run(slow_world, wait_s_max=100)
    assert report.rejected == [1]
    assert report.active == [2]
    assert states(slow_world) == [(1, 1, "rejected"), (1, 2, "active")]
    check_money(slow_world)


def test_settle__dispute_lost__the_root_becomes_active(slow_world):
    post_only(slow_world)
    dispute(slow_world)
    do(slow_world, local.ARBITER, "resolveDispute", *pending_name(slow_world), False)
    assert run(slow_world, wait_s_max=100).active == [1]
    check_money(slow_world)


def test_settle__arbiter_silent__the_dispute_is_expired_and_the_epochs_go_again(slow_world):
    post_only(slow_world)
    dispute(slow_world)
    slow_world.mine(150)
    top_up_bond_elsewhere(slow_world)
    report = run(slow_world, wait_s_max=100)
    assert report.rejected == [1]
    assert report.active == [2]
    check_money(slow_world)


def test_settle__bond_lost_and_not_topped_up__is_a_named_stop(slow_world):
    post_only(slow_world)
    dispute(slow_world)
    do(slow_world, local.ARBITER, "resolveDispute", *pending_name(slow_world), True)
    with pytest.raises(StopError) as stop:
        run(slow_world, wait_s_max=100)
    assert stop.value.code == "bond_too_low"
    check_money(slow_world, settled=False)


def test_settle__posting_paused__is_a_named_stop_and_goes_on_later(world):
    world.close_one()
    flag = world.chain.contract.read("PAUSE_POST")
    do(world, local.OWNER, "pause", flag)
    with pytest.raises(StopError) as stop:
        run(world)
    assert stop.value.code == "call_refused"
    assert "paused" in str(stop.value)
    do(world, local.OWNER, "unpause", flag)
    assert run(world).active == [1]
    check_money(world)


def test_settle__somebody_else_activates__is_read_from_the_chain(slow_world):
    post_only(slow_world)
    slow_world.mine(60)
    do(slow_world, DISPUTER, "activateRoot")
    assert run(slow_world).active == [1]
    check_money(slow_world)


def test_settle__a_fail_safe_withdrawal_after_computing__makes_a_new_attempt(world):
    """The pin of the computed posting is too early by then; no later root is held up."""
    world.close_one()
    with pytest.raises(KeyboardInterrupt):
        run(world, checkpoint=crash_after("after computed"))
    world.ask("evm_increaseTime", int(world.chain.contract.read("failSafeS")) + 1)
    world.mine(2)
    do(world, LEAVER, "failSafeWithdraw", 0, [])
    with connect(world.dsn, autocommit=True) as connection:
        settlement = world.settlement(connection)
        settlement.catch_up = lambda _: None
        with pytest.raises(StopError) as behind:
            settlement.run()
        release_settler_lock(connection)
    assert behind.value.code == "indexer_behind"
    assert states(world) == [(1, 1, "rejected")]
    assert run(world).active == [2]
    assert charged_units(world, LEAVER) == 0
    check_money(world)
    world.close_one()
    assert run(world).active == [3]
    assert charged_units(world, LEAVER) == 0
    check_money(world)


def test_settle__account_frozen__is_charged_until_the_grace_is_over_and_withdraws_the_rest(world):
    world.close_one(1)
    run(world)
    do(world, LEAVER, "freeze")
    world.mine(int(world.chain.contract.read("graceBlocks")) + 12)
    world.close_one(1)
    run(world)
    charged = charged_units(world, LEAVER)
    assert charged == 2 * charge_units(100, 10)
    root = bytes(world.chain.contract.read("activeRoot"))
    proof = find_proof(trees_in(world.lake)("0x" + root.hex()), 1, world.chain.address(LEAVER))
    do(world, LEAVER, "withdraw", root, proof.cumulative_units, proof.siblings)
    held = world.chain.token.read("balanceOf", world.chain.address(LEAVER))
    assert held == CREDIT_UNITS - charged
    check_money(world)
    world.close_one(1)
    run(world)
    assert charged_units(world, LEAVER) == charged
    check_money(world)


def charged_units(world: World, number: int) -> int:
    """What an account was charged by the active root."""
    root = "0x" + bytes(world.chain.contract.read("activeRoot")).hex()
    proof = find_proof(trees_in(world.lake)(root), 1, world.chain.address(number))
    assert proof
    return proof.cumulative_units
