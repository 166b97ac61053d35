"""Disputes and bonds: who is wrong pays, and nobody can hold the roots up for ever."""

import boa
import pytest
from book import Book
from world import (
    ACTIVATION_DELAY_S,
    ARBITER_DEADLINE_S,
    BOND,
    DISPUTE,
    NO_ROOT,
    SINK,
    World,
    address_of,
    now_s,
)


@pytest.fixture
def disputer(world: World) -> str:
    who = address_of("disputer")
    world.bond(who, 100 * BOND)
    return who


@pytest.fixture
def book(world: World, customer: str, payee: str) -> Book:
    """A book that is pending as attempt 1."""
    world.fund(customer, 1_000)
    boa.env.time_travel(blocks=1)
    world.commit(0)
    pending = Book({payee: 300}, {customer: 400})
    world.post(pending)
    return pending


def test_dispute__with_a_bond__holds_the_root_up(world: World, book: Book, disputer: str) -> None:
    world.dispute(disputer)
    (event,) = world.logs("RootDisputed")
    decide_by = now_s() + ARBITER_DEADLINE_S
    assert (event.root, event.disputer) == (book.root, disputer)
    assert (event.bond, event.decideBy) == (BOND, decide_by)
    assert world.contract.bonds(disputer) == 99 * BOND
    assert world.contract.pending().disputer == disputer


def test_dispute__without_a_bond__reverts(world: World, book: Book, attacker: str) -> None:
    with boa.reverts("bond too low"):
        world.dispute(attacker)


def test_dispute__of_nothing__reverts(world: World, disputer: str) -> None:
    with boa.reverts("nothing pending"):
        world.dispute(disputer)


def test_dispute__twice__reverts(world: World, book: Book, disputer: str) -> None:
    world.dispute(disputer)
    with boa.reverts("disputed"):
        world.dispute(disputer)


def test_dispute__by_the_settler__reverts(world: World, book: Book) -> None:
    with boa.reverts("settler disputes"):
        world.dispute(world.settler)


def test_dispute__when_the_delay_is_over__reverts(world: World, book: Book, disputer: str) -> None:
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
    with boa.reverts("delay is over"):
        world.dispute(disputer)


def test_dispute__while_disputes_are_paused__reverts(
    world: World, book: Book, disputer: str
) -> None:
    world.contract.pause(DISPUTE, sender=world.owner)
    with boa.reverts("disputes are paused"):
        world.dispute(disputer)


def test_resolve__upheld__drops_the_root_and_halves_the_settlers_bond(
    world: World, book: Book, disputer: str
) -> None:
    held = world.contract.bondsHeld()
    world.dispute(disputer)
    world.resolve(True, world.arbiter)
    (event,) = world.logs("DisputeResolved")
    assert (event.upheld, event.winner, event.loser) == (True, disputer, world.settler)
    assert (event.won, event.sunk) == (BOND // 2, BOND // 2)
    (dropped,) = world.logs("RootDropped")
    assert (dropped.root, dropped.fromEpoch, dropped.toEpoch, dropped.attempt) == (
        book.root, 0, 0, 1,
    )  # fmt: skip
    assert world.contract.bonds(disputer) == 100 * BOND + BOND // 2
    assert world.contract.bonds(world.settler) == 999 * BOND
    assert world.token.balanceOf(SINK) == BOND // 2
    assert world.contract.bondsHeld() == held - BOND // 2
    assert world.contract.pending().root == NO_ROOT


def test_resolve__rejected__halves_the_disputers_bond_and_the_root_goes_on(
    world: World, book: Book, disputer: str
) -> None:
    world.dispute(disputer)
    world.resolve(False, world.arbiter)
    (event,) = world.logs("DisputeResolved")
    assert (event.upheld, event.winner, event.loser) == (False, world.settler, disputer)
    assert world.contract.bonds(disputer) == 99 * BOND
    assert world.contract.bonds(world.settler) == 1_000 * BOND + BOND // 2
    assert world.token.balanceOf(SINK) == BOND // 2
    world.activate()
    assert world.contract.activeRoot() == book.root


def test_resolve__rejected__cannot_be_disputed_again(
    world: World, book: Book, disputer: str
) -> None:
    world.dispute(disputer)
    world.resolve(False, world.arbiter)
    assert world.contract.pending().ruled
    with boa.reverts("already ruled upon"):
        world.dispute(disputer)


def test_resolve__of_a_later_root__can_be_disputed_afresh(
    world: World, book: Book, disputer: str
) -> None:
    world.dispute(disputer)
    world.resolve(False, world.arbiter)
    world.activate()
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(book)
    world.dispute(disputer)
    assert world.contract.pending().disputer == disputer


def test_resolve__by_another__reverts(world: World, book: Book, disputer: str) -> None:
    world.dispute(disputer)
    with boa.reverts("wrong role"):
        world.resolve(True, disputer)


def test_resolve__without_a_dispute__reverts(world: World, book: Book) -> None:
    with boa.reverts("not disputed"):
        world.resolve(True, world.arbiter)


def test_resolve__after_the_deadline__reverts(world: World, book: Book, disputer: str) -> None:
    world.dispute(disputer)
    boa.env.time_travel(seconds=ARBITER_DEADLINE_S)
    with boa.reverts("deadline is over"):
        world.resolve(False, world.arbiter)


def test_expire__when_the_arbiter_is_silent__drops_the_root_and_returns_the_bonds(
    world: World, book: Book, disputer: str, attacker: str
) -> None:
    world.dispute(disputer)
    boa.env.time_travel(seconds=ARBITER_DEADLINE_S)
    world.contract.expireDispute(sender=attacker)
    assert [event.root for event in world.logs("RootDropped")] == [book.root]
    assert world.contract.bonds(disputer) == 100 * BOND
    assert world.contract.bonds(world.settler) == 1_000 * BOND
    assert world.token.balanceOf(SINK) == 0
    assert world.contract.nextEpoch() == 0


def test_expire__before_the_deadline__reverts(world: World, book: Book, disputer: str) -> None:
    world.dispute(disputer)
    boa.env.time_travel(seconds=ARBITER_DEADLINE_S - 1)
    with boa.reverts("deadline not over"):
        world.contract.expireDispute()


def test_expire__without_a_dispute__reverts(world: World, book: Book) -> None:
    with boa.reverts("not disputed"):
        world.contract.expireDispute()


def test_bond__doubles_with_each_dropped_attempt__and_falls_back_after_an_active_root(
    world: World, book: Book, disputer: str
) -> None:
    for attempt in (1, 2, 3):
        assert world.contract.bondNow() == BOND << (attempt - 1)
        world.dispute(disputer)
        world.resolve(True, world.arbiter)
        world.post(book, attempt=attempt + 1)
    assert world.contract.bondNow() == 8 * BOND
    world.activate()
    assert world.contract.bondNow() == BOND


def test_post_root__again_with_a_used_attempt__reverts(
    world: World, book: Book, disputer: str
) -> None:
    world.dispute(disputer)
    world.resolve(True, world.arbiter)
    with boa.reverts("attempt used"):
        world.post(book, attempt=1)
    world.post(book, attempt=5)


def test_dispute_of_oneself__whoever_wins__costs_half_a_bond(
    world: World, book: Book, disputer: str
) -> None:
    held = world.contract.bonds(world.settler) + world.contract.bonds(disputer)
    for upheld in (True, False):
        with boa.env.anchor():
            world.dispute(disputer)
            world.resolve(upheld, world.arbiter)
            left = world.contract.bonds(world.settler) + world.contract.bonds(disputer)
            assert left == held - BOND // 2


def test_dispute__of_a_later_root__leaves_the_old_one_claimable_throughout(
    world: World, book: Book, disputer: str, payee: str
) -> None:
    world.activate()
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(Book({payee: 350}, {**book.charged}))
    world.dispute(disputer)
    world.contract.claim(book.root, *book.claim_of(payee))
    assert world.token.balanceOf(payee) == 300


def test_pause_of_disputes__stops_the_clock_of_activation(
    world: World, book: Book, disputer: str
) -> None:
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S - 10)
    world.contract.pause(DISPUTE, sender=world.owner)
    boa.env.time_travel(seconds=5 * ACTIVATION_DELAY_S)
    assert world.contract.pending().activeAt == now_s() + 10
    world.contract.unpause(DISPUTE, sender=world.owner)
    with boa.reverts("delay not over"):
        world.contract.activateRoot()
    boa.env.time_travel(seconds=9)
    world.dispute(disputer)


def test_pause_of_disputes__stops_the_arbiters_deadline(
    world: World, book: Book, disputer: str
) -> None:
    world.dispute(disputer)
    world.contract.pause(DISPUTE, sender=world.owner)
    boa.env.time_travel(seconds=2 * ARBITER_DEADLINE_S)
    with boa.reverts("deadline not over"):
        world.contract.expireDispute()
    world.resolve(True, world.arbiter)


def test_pause_of_disputes__that_lapsed__counts_only_its_own_time(world: World, book: Book) -> None:
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S - 10)
    world.contract.pause(DISPUTE, sender=world.owner)
    boa.env.time_travel(seconds=world.contract.failSafeS() + 9)
    with boa.reverts("delay not over"):
        world.contract.activateRoot()
    boa.env.time_travel(seconds=1)
    world.contract.activateRoot()


def test_pause_of_disputes__twice_over__counts_both(world: World, book: Book) -> None:
    posted = now_s()
    for _ in range(2):
        world.contract.pause(DISPUTE, sender=world.owner)
        boa.env.time_travel(seconds=100)
    world.contract.unpause(DISPUTE, sender=world.owner)
    assert world.contract.pending().activeAt == posted + ACTIVATION_DELAY_S + 200


def test_bond_of_the_settler__while_a_root_is_pending__stays(world: World, book: Book) -> None:
    with boa.reverts("bond is in use"):
        world.contract.withdrawBond(999 * BOND + 1, sender=world.settler)
    world.contract.withdrawBond(999 * BOND, sender=world.settler)
    assert world.token.balanceOf(world.settler) == 999 * BOND


def test_bond__that_is_free__comes_back(world: World, disputer: str) -> None:
    held = world.contract.bondsHeld()
    world.contract.withdrawBond(30 * BOND, sender=disputer)
    (event,) = world.logs("BondWithdrawn")
    assert (event.holder, event.amount) == (disputer, 30 * BOND)
    assert world.token.balanceOf(disputer) == 30 * BOND
    assert world.contract.bondsHeld() == held - 30 * BOND


def test_bond__of_more_than_one_has__reverts(world: World, disputer: str) -> None:
    with boa.reverts():
        world.contract.withdrawBond(100 * BOND + 1, sender=disputer)


def test_bond__is_no_credit(world: World, disputer: str) -> None:
    assert world.contract.creditTotal() == 0
    assert world.contract.deposited(disputer) == 0


def test_sink__that_the_token_refuses__does_not_hold_up_the_decision(
    odd_world: World, customer: str
) -> None:
    disputer = address_of("disputer")
    odd_world.bond(disputer, BOND)
    odd_world.fund(customer, 10)
    boa.env.time_travel(blocks=1)
    odd_world.commit(0)
    odd_world.post(Book({}, {customer: 0}))
    odd_world.dispute(disputer)
    odd_world.token.revert_to(SINK, True)
    odd_world.resolve(True, odd_world.arbiter)
    assert odd_world.contract.bonds(disputer) == BOND + BOND // 2
