"""Ways out of a dispute that are shut: dust withdrawals, and another root in the root's place."""

import boa
import pytest
from book import Book
from world import (
    ACTIVATION_DELAY_S,
    ARBITER_DEADLINE_S,
    BOND,
    DISPUTE,
    GRACE_BLOCKS,
    NO_ROOT,
    SINK,
    World,
    address_of,
    block,
)

MOLE = address_of("mole")
WATCHER = address_of("watcher")


@pytest.fixture
def active(world: World, customer: str, payee: str) -> Book:
    """The settler's own account is frozen and past its grace, with one unit left."""
    world.fund(customer, 1_000)
    world.fund(MOLE, 1)
    world.bond(WATCHER, 10 * BOND)
    world.contract.freeze(sender=MOLE)
    boa.env.time_travel(blocks=GRACE_BLOCKS + 1)
    book = Book({payee: 100}, {customer: 100, MOLE: 0})
    world.settle(book)
    boa.env.time_travel(blocks=1)
    world.commit()
    return book


@pytest.fixture
def false(world: World, active: Book, customer: str, payee: str) -> Book:
    """A pending root that charges all credit there is: one unit less, and it is impossible."""
    book = Book({payee: 100, MOLE: 901}, {customer: 1_000, MOLE: 1})
    world.post(book)
    assert world.contract.pending().chargedTotal == world.contract.creditTotal()
    return book


def withdraw_the_dust(world: World, active: Book) -> None:
    world.contract.withdraw(active.root, *active.charge_of(MOLE), sender=MOLE)


def test_dust_withdrawal__under_a_disputed_root__frees_no_settler_from_the_ruling(
    world: World, active: Book, false: Book
) -> None:
    world.dispute(WATCHER)
    withdraw_the_dust(world, active)
    assert not world.logs("RootDropped")
    with boa.reverts("bond is in use"):
        world.contract.withdrawBond(1_000 * BOND, sender=world.settler)
    world.resolve(True, world.arbiter)
    assert [event.root for event in world.logs("RootDropped")] == [false.root]
    assert world.contract.bonds(world.settler) == 999 * BOND
    assert world.contract.bonds(WATCHER) == 10 * BOND + BOND // 2
    assert world.contract.bondNow() == 2 * BOND


def test_dust_withdrawal__under_a_disputed_root_that_is_ruled_right__drops_it_undoubled(
    world: World, active: Book, false: Book
) -> None:
    world.dispute(WATCHER)
    withdraw_the_dust(world, active)
    world.resolve(False, world.arbiter)
    assert [event.root for event in world.logs("RootDropped")] == [false.root]
    assert world.contract.bonds(WATCHER) == 9 * BOND
    assert world.contract.bonds(world.settler) == 1_000 * BOND + BOND // 2
    assert world.token.balanceOf(SINK) == BOND // 2
    assert world.contract.bondNow() == BOND
    with boa.reverts("nothing pending"):
        world.contract.activateRoot()


def test_dust_withdrawal__under_a_disputed_root__leaves_the_next_attempt_its_way(
    world: World, active: Book, false: Book, customer: str, payee: str
) -> None:
    world.dispute(WATCHER)
    withdraw_the_dust(world, active)
    boa.env.time_travel(seconds=ARBITER_DEADLINE_S)
    world.contract.expireDispute()
    assert world.contract.bonds(WATCHER) == 10 * BOND
    later = Book({payee: 600}, {customer: 600, MOLE: 0})
    world.post(later, attempt=2)
    world.activate()
    assert world.contract.activeRoot() == later.root


def test_dust_withdrawal__under_a_root_ruled_right_before__drops_it(
    world: World, active: Book, false: Book
) -> None:
    world.dispute(WATCHER)
    world.resolve(False, world.arbiter)
    withdraw_the_dust(world, active)
    assert [event.root for event in world.logs("RootDropped")] == [false.root]
    assert not world.contract.pending().ruled


def test_fail_safe__of_dust_under_a_disputed_root__frees_no_settler_either(
    world: World, active: Book, false: Book
) -> None:
    world.dispute(WATCHER)
    world.contract.pause(DISPUTE, sender=world.owner)
    world.open_fail_safe()
    world.contract.failSafeWithdraw(*active.charge_of(MOLE), sender=MOLE)
    assert world.contract.pending().root == false.root
    assert world.contract.minPinnedBlock() == block()
    world.resolve(True, world.arbiter)
    assert world.contract.bonds(world.settler) == 999 * BOND


def test_fail_safe__under_a_disputed_root_that_is_ruled_right__lets_no_charge_escape(
    world: World, customer: str, payee: str
) -> None:
    """The root charges what is gone, within the caps: another customer's credit covers it."""
    other = address_of("other customer")
    world.bond(WATCHER, BOND)
    world.fund(customer, 1_000)
    world.fund(other, 5_000)
    book = Book({payee: 300}, {customer: 400, other: 0})
    world.settle(book)
    world.open_fail_safe()
    world.commit()
    world.post(Book({payee: 800}, {customer: 900, other: 0}))
    world.dispute(WATCHER)
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    world.resolve(False, world.arbiter)
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
    with boa.reverts("nothing pending"):
        world.contract.activateRoot()
    assert world.contract.bondNow() == BOND


def test_dispute__overtaken_by_another_root__does_not_land_on_it(
    world: World, active: Book, false: Book, customer: str, payee: str
) -> None:
    signed = world.name()
    withdraw_the_dust(world, active)
    assert world.contract.pending().root == NO_ROOT
    world.post(Book({payee: 600}, {customer: 600, MOLE: 0}), attempt=2)
    with boa.reverts("another root"):
        world.contract.dispute(*signed, sender=WATCHER)
    with boa.reverts("another root"):
        world.contract.dispute(signed[0] + 1, signed[1] + 1, sender=WATCHER)
    assert world.contract.bonds(WATCHER) == 10 * BOND


def test_ruling__overtaken_by_another_root__does_not_land_on_it(
    world: World, active: Book, customer: str, payee: str
) -> None:
    right = Book({payee: 600}, {customer: 600, MOLE: 0})
    world.post(right)
    ruled = world.name()
    world.dispute(WATCHER)
    boa.env.time_travel(seconds=ARBITER_DEADLINE_S)
    world.contract.expireDispute()
    world.post(Book({payee: 100, MOLE: 900}, {customer: 1_000, MOLE: 0}), attempt=2)
    world.dispute(WATCHER)
    for upheld in (True, False):
        with boa.reverts("another root"):
            world.contract.resolveDispute(*ruled, upheld, sender=world.arbiter)
    world.resolve(True, world.arbiter)
    assert world.contract.pending().root == NO_ROOT
