"""A stolen settler's key: what it leaves behind must not stop the next settler."""

from collections.abc import Iterator

import boa
import pytest
from book import Book
from world import (
    ARBITER_DEADLINE_S,
    BOND,
    DISPUTE,
    NO_ROOT,
    SETTLER,
    TIMELOCK_S,
    World,
    address_of,
    block,
)

SUCCESSOR = address_of("successor")
DISPUTER = address_of("disputer")
ATTEMPT_MAX = 2**32 - 1


@pytest.fixture
def right(world: World, customer: str, payee: str) -> Book:
    """What a settler would post; epoch 7 is committed, and the successor's time lock is over."""
    world.bond(SUCCESSOR, 10 * BOND)
    world.bond(DISPUTER, 1_000 * BOND)
    world.fund(customer, 1_000)
    world.contract.proposeRole(SETTLER, SUCCESSOR, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    world.commit(7)
    return Book({payee: 300}, {customer: 400})


def succeed(world: World) -> None:
    world.contract.acceptRole(SETTLER, sender=SUCCESSOR)
    world.settler = SUCCESSOR


@pytest.fixture(autouse=True)
def first_settler(world: World) -> Iterator[None]:
    """The world is everybody's: its settler is put back."""
    first = world.settler
    yield
    world.settler = first


def next_posting(world: World, book: Book) -> None:
    """The settler's next posting of all that is committed, to its activation."""
    world.post(book, attempt=world.contract.nextAttempt())
    world.activate()
    assert world.contract.activeRoot() == book.root


def test_attempts__far_above_the_last__cannot_be_used_up(world: World, right: Book) -> None:
    for attempt in (ATTEMPT_MAX, 10_001):
        with boa.reverts("attempt too far"):
            world.post(right, attempt=attempt)
    world.post(right, attempt=10_000)
    assert world.contract.nextAttempt() == 10_001
    succeed(world)
    world.commit(7)
    with boa.reverts("attempt used"):
        world.post(right, attempt=10_000)
    next_posting(world, right)
    assert world.contract.nextAttempt() == 1


@pytest.mark.parametrize("active", [True, False])
def test_commits__far_ahead__are_undone_by_the_next_settler(
    world: World, right: Book, active: bool
) -> None:
    if active:
        next_posting(world, right)
    first = world.contract.nextEpoch()
    for epoch in range(world.contract.nextCommit(), 40):
        world.contract.commitEpoch(epoch, b"\x66" * 32, block() - 1, sender=world.settler)
    succeed(world)
    assert tuple(world.contract.epochCommit(first)) == (NO_ROOT, 0)
    assert tuple(world.contract.epochCommit(first - 1))[1] > 0 or not active
    boa.env.time_travel(blocks=1)
    world.contract.commitEpoch(first, b"\x07" * 32, block() - 1, sender=SUCCESSOR)
    assert world.contract.epochCommit(first).answersHash == b"\x07" * 32
    with boa.reverts("epoch not committed"):
        world.post(right, to_epoch=first + 1)
    next_posting(world, right)
    assert world.contract.nextEpoch() == first + 1


def test_first_epoch__set_to_nonsense__is_set_again(world: World, right: Book) -> None:
    succeed(world)
    world.commit(2**63)
    world.post(right, attempt=10_000)
    world.contract.proposeRole(SETTLER, SUCCESSOR, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    succeed(world)
    assert (world.contract.nextEpoch(), world.contract.nextCommit()) == (0, 0)
    world.commit(1)
    next_posting(world, right)
    assert world.contract.nextEpoch() == 2


def test_bond__that_the_old_settler_drove_up__falls_back(world: World, right: Book) -> None:
    for attempt in (1, 2, 3):
        world.post(right, attempt=attempt)
        world.dispute(DISPUTER)
        world.resolve(True, world.arbiter)
    assert world.contract.bondNow() == 8 * BOND
    succeed(world)
    assert world.contract.bondNow() == BOND


def test_new_settler__with_an_undisputed_root_pending__drops_it_and_frees_the_bond(
    world: World, right: Book
) -> None:
    old = world.settler
    world.post(right)
    succeed(world)
    assert [event.root for event in world.logs("RootDropped")] == [right.root]
    world.contract.withdrawBond(1_000 * BOND, sender=old)
    world.commit(7)
    next_posting(world, right)


@pytest.mark.parametrize(
    ("upheld", "settlers", "disputers"),
    [(True, 999 * BOND, 1_000 * BOND + BOND // 2), (False, 1_000 * BOND + BOND // 2, 999 * BOND)],
)
def test_new_settler__with_a_disputed_root_pending__leaves_the_old_ones_bond_to_the_ruling(
    world: World, right: Book, upheld: bool, settlers: int, disputers: int
) -> None:
    """Or an owner with a successor in the drawer would make false roots free of charge."""
    old = world.settler
    next_posting(world, right)
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(right)
    world.dispute(DISPUTER)
    succeed(world)
    world.commit()
    with boa.reverts("a root is pending"):
        world.post(right, attempt=2)
    with boa.reverts("bond is in use"):
        world.contract.withdrawBond(1_000 * BOND, sender=old)
    world.contract.withdrawBond(BOND, sender=SUCCESSOR)
    world.resolve(upheld, world.arbiter)
    assert [event.root for event in world.logs("RootDropped")] == [right.root]
    assert world.contract.bonds(old) == settlers
    assert world.contract.bonds(DISPUTER) == disputers
    assert world.contract.bonds(SUCCESSOR) == 9 * BOND
    assert world.contract.bondNow() == BOND
    next_posting(world, right)


def test_new_settler__with_a_disputed_root_and_a_silent_arbiter__waits_for_the_deadline_only(
    world: World, right: Book
) -> None:
    world.post(right)
    world.dispute(DISPUTER)
    succeed(world)
    with boa.reverts("a root is pending"):
        world.commit(8)
    boa.env.time_travel(seconds=ARBITER_DEADLINE_S)
    world.contract.expireDispute()
    assert world.contract.bonds(DISPUTER) == 1_000 * BOND
    world.commit(7)
    next_posting(world, right)


def test_new_settlers__two_in_a_row__leave_the_bond_of_who_posted(
    world: World, right: Book
) -> None:
    old, third = world.settler, address_of("third settler")
    world.post(right)
    world.dispute(DISPUTER)
    world.contract.pause(DISPUTE, sender=world.owner)
    succeed(world)
    world.contract.proposeRole(SETTLER, third, sender=world.owner)
    boa.env.time_travel(seconds=TIMELOCK_S)
    world.contract.acceptRole(SETTLER, sender=third)
    world.resolve(True, world.arbiter)
    assert world.contract.bonds(old) == 999 * BOND
    assert world.contract.bonds(SUCCESSOR) == 10 * BOND
