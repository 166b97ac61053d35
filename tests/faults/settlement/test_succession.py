"""The settler's key was stolen and misused; a new settler goes on from the same database."""

import psycopg

from orchestration.chain import local
from tests.chain_contract import bond
from tests.money_model import check_money
from tests.settlement_world import World, run

SUCCESSOR, THIEF = 6, local.SETTLER


def jam(world: World) -> None:
    """Whoever has the key commits epochs that are none, and posts with a far attempt."""
    world.ask("evm_setAutomine", True)
    chain = world.chain
    first, head = int(chain.contract.read("nextCommit")), chain.node.head - 1
    for epoch in range(first, first + 3):
        chain.do(THIEF, "commitEpoch", epoch, b"\6" * 32, head)
    parent = bytes(chain.contract.read("activeRoot"))
    totals = [int(chain.contract.read(name)) for name in ("earnedTotal", "chargedTotal")]
    pinned = chain.node.head
    world.mine()
    posted = (int(chain.contract.read("nextEpoch")), first + 2, 9_999, parent, b"\6" * 32)
    chain.do(THIEF, "postRoot", *posted, *totals, pinned, b"\6" * 32)


def succeed(world: World) -> None:
    """The owner gives the role to another key."""
    role, address = world.chain.contract.read("ROLE_SETTLER"), world.chain.address(SUCCESSOR)
    world.chain.do(local.OWNER, "proposeRole", role, address)
    world.ask("evm_increaseTime", 61)
    world.mine()
    world.chain.do(SUCCESSOR, "acceptRole", role)
    bond(world.chain, SUCCESSOR)
    world.settler = SUCCESSOR
    world.foreign = world.nonce()
    world.ask("evm_setAutomine", False)
    world.mine(10)


def rows(world: World, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(world.dsn) as connection:
        return connection.execute(query).fetchall()


def test_settle__after_a_stolen_key_jammed_commits_and_attempts__goes_on_with_a_new_one(world):
    world.close_one()
    assert run(world).active == [1]
    world.close_one()
    jam(world)
    succeed(world)
    report = run(world)
    assert (report.committed, report.active) == ([2], [2])
    attempts = rows(world, "select from_epoch, attempt, state from postings order by posting_id")
    assert attempts == [(1, 1, "active"), (2, 10_000, "active")]
    check_money(world)


def test_settle__commits_undone_by_a_new_settler__are_made_again_and_the_dropped_root_too(
    slow_world,
):
    """The old settler had committed and posted rightly; then the key was changed."""
    slow_world.close_one()
    assert run(slow_world, wait_s_max=0).posted == [1]
    slow_world.ask("evm_setAutomine", True)
    succeed(slow_world)
    assert slow_world.chain.contract.read("nextCommit") == 0
    report = run(slow_world, wait_s_max=100)
    assert (report.committed, report.rejected, report.active) == ([1], [1], [2])
    attempts = rows(
        slow_world, "select from_epoch, attempt, state from postings order by posting_id"
    )
    assert attempts == [(1, 1, "rejected"), (1, 2, "active")]
    check_money(slow_world)
