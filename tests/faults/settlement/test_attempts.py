"""A posting that cannot go as it was computed goes in the next attempt, and nothing loops."""

from dataclasses import replace

import psycopg
import pytest

from distributary.rewards.manifest import NAME, load_manifest, write_manifest
from orchestration.chain import local
from tests.faults.settlement.test_disputes import dispute, do, pending_name, states, top_up_bond
from tests.faults.settlement.test_named_stops import damage, stopped
from tests.money_model import check_money
from tests.settlement_world import OWNER, PAYEE, World, crash_after, run


def crash(world: World, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(world, wait_s_max=0, checkpoint=crash_after(name))


def test_settle__attempt_used_on_the_chain__goes_in_the_next_one(slow_world):
    """The chain dropped an attempt that the database does not know, as after a restore."""
    slow_world.close_one()
    crash(slow_world, "after computed")
    slow_world.mine(10)
    pinned = slow_world.chain.node.head - 1
    epochs_and_parent, root, totals = (1, 1, 1, bytes(32)), b"\x07" * 32, (0, 0)
    do(
        slow_world,
        *(local.SETTLER, "postRoot", *epochs_and_parent, root, *totals, pinned, b"\x05" * 32),
    )
    slow_world.foreign += 1
    dispute(slow_world)
    do(slow_world, local.ARBITER, "resolveDispute", *pending_name(slow_world), True)
    top_up_bond(slow_world)
    report = run(slow_world, wait_s_max=100)
    assert (report.rejected, report.active) == ([1], [2])
    check_money(slow_world)


def test_settle__withdrawal_just_before_sending__goes_in_the_next_attempt(world):
    """It is not final yet, so that only the contract knows of it."""
    world.close_one()
    crash(world, "after computed")
    world.ask("evm_increaseTime", int(world.chain.contract.read("failSafeS")) + 1)
    world.mine()
    world.ask("evm_setAutomine", True)
    world.chain.do(3, "failSafeWithdraw", 0, [])
    world.ask("evm_setAutomine", False)
    assert stopped(world) == "call_refused"
    assert states(world) == [(1, 1, "rejected")]
    world.mine(5)
    assert run(world).active == [2]
    check_money(world)


@pytest.mark.parametrize("point", ["after manifest", "after rows", "after computed"])
@pytest.mark.parametrize(
    ("name", "how"), [("accounts.parquet", "altered"), ("carried.parquet", "gone"), (NAME, "gone")]
)
def test_settle__input_damaged_before_sending__is_read_anew(world, name, how, point):
    world.close_one()
    crash(world, point)
    (path,) = world.lake.glob(f"settlements/*/{name}")
    damage(path, how)
    assert run(world).active
    assert states(world)[-1][2] == "active"
    check_money(world)


@pytest.mark.parametrize("field", ["chain_id", "contract", "parent_root"])
def test_settle__manifest_left_for_another_contract__is_passed_over(world, field):
    world.close_one()
    crash(world, "after manifest")
    (path,) = world.lake.glob(f"settlements/*/{NAME}")
    other = {"chain_id": 1, "contract": "0x" + "5" * 40, "parent_root": "0x" + "5" * 64}
    write_manifest(world.lake, replace(load_manifest(path), **{field: other[field]}))
    assert run(world).active == [1]
    assert states(world) == [(1, 2, "active")]
    check_money(world)


def test_settle__manifest_of_other_rows__is_passed_over(world):
    """Whole in itself, but not the one whose rows dbt reads."""
    world.close_one()
    crash(world, "after rows")
    (path,) = world.lake.glob(f"settlements/*/{NAME}")
    left = load_manifest(path)
    write_manifest(world.lake, replace(left, pinned_block=left.pinned_block + 1))
    assert run(world).active == [2]
    assert states(world) == [(1, 2, "active")]
    check_money(world)


def bind_here(world: World, labels: list[str]) -> None:
    with psycopg.connect(world.dsn) as connection:
        for label in labels:
            connection.execute(
                """
                with made as (insert into owners (label) values (%s) returning owner_id)
                insert into payee_bindings select owner_id, %s from made
                """,
                (label, PAYEE),
            )


def test_settle__many_labels_too_long_for_the_contract__do_not_hold_up_the_others(world):
    bind_here(world, [f"a{number:02d}" + "é" * 190 for number in range(25)])
    world.close_one()
    report = run(world)
    assert (report.refused, report.bound) == ([], [OWNER])
    check_money(world)


def test_settle__many_bindings_refused__do_not_hold_up_the_others(world):
    labels = [f"a{number:02d}" for number in range(21)]
    for label in labels:  # by somebody else on the chain, to another address
        world.chain.do(local.SETTLER, "bindOwner", label, "0x" + "8" * 40)
    world.foreign += len(labels)
    bind_here(world, labels)
    world.close_one()
    report = run(world)
    assert (report.refused, report.bound) == (labels, [OWNER])
    check_money(world)
