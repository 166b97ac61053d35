"""The fail-safe: nobody's money depends on the settler staying alive."""

import boa
import pytest
from book import Book
from world import (
    ACTIVATION_DELAY_S,
    BOND,
    DISPUTE,
    FAIL_SAFE_S,
    NO_ROOT,
    WITHDRAW,
    World,
    address_of,
    block,
    now_s,
)


@pytest.fixture
def book(world: World, customer: str, payee: str) -> Book:
    """The active root charged the customer 400 of 1,000; then the settler was gone."""
    world.fund(customer, 1_000)
    active = Book({payee: 300}, {customer: 400})
    world.settle(active)
    world.open_fail_safe()
    boa.env.time_travel(blocks=5)
    return active


def test_fail_safe__when_open__pays_freezes_and_moves_the_least_pin(
    world: World, book: Book, customer: str
) -> None:
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    (event,) = world.logs("FailSafeWithdrawn")
    assert (event.account, event.amount, event.total) == (customer, 600, 600)
    (frozen,) = world.logs("Frozen")
    assert (frozen.account, frozen.blockNumber) == (customer, block())
    assert world.contract.minPinnedBlock() == world.contract.frozenAt(customer) == block()
    assert world.token.balanceOf(customer) == 600


def test_fail_safe__of_a_frozen_account__keeps_its_freeze(
    world: World, book: Book, customer: str
) -> None:
    world.contract.freeze(sender=customer)
    frozen_at = block()
    boa.env.time_travel(blocks=3)
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    assert world.contract.frozenAt(customer) == frozen_at
    assert not world.logs("Frozen")


def test_fail_safe__a_second_early__reverts(world: World, customer: str, payee: str) -> None:
    world.fund(customer, 1_000)
    book = Book({payee: 300}, {customer: 400})
    world.settle(book)
    boa.env.time_travel(seconds=FAIL_SAFE_S - 1)
    assert world.contract.failSafeOpenAt() == now_s() + 1
    with boa.reverts("fail-safe is shut"):
        world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)


def test_fail_safe__twice__reverts(world: World, book: Book, customer: str) -> None:
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    with boa.reverts("nothing left"):
        world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)


def test_fail_safe__without_a_leaf_by_an_account_that_has_one__reverts(
    world: World, book: Book, customer: str
) -> None:
    with boa.reverts("bad proof"):
        world.contract.failSafeWithdraw(0, [], sender=customer)


def test_fail_safe__of_a_stranger__reverts(world: World, book: Book, attacker: str) -> None:
    with boa.reverts("bad proof"):
        world.contract.failSafeWithdraw(0, [], sender=attacker)


def test_fail_safe__with_charges_by_a_newer_account__reverts(
    world: World, book: Book, attacker: str
) -> None:
    world.fund(attacker, 10)
    with boa.reverts("no leaf yet"):
        world.contract.failSafeWithdraw(3, [], sender=attacker)


def test_fail_safe__before_any_root__pays_everybody_all(world: World, customer: str) -> None:
    world.fund(customer, 1_000)
    world.open_fail_safe()
    world.contract.failSafeWithdraw(0, [], sender=customer)
    assert world.token.balanceOf(customer) == 1_000


def test_fail_safe__while_withdrawals_are_paused__pays_all_the_same(
    world: World, book: Book, customer: str
) -> None:
    world.contract.pause(WITHDRAW, sender=world.owner)
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    assert world.token.balanceOf(customer) == 600


def test_fail_safe__with_a_pending_root__drops_it(world: World, book: Book, customer: str) -> None:
    world.commit()
    world.post(book)
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    assert [event.root for event in world.logs("RootDropped")] == [book.root]
    assert world.contract.bondNow() == BOND
    world.contract.withdrawBond(1_000 * BOND, sender=world.settler)


def test_fail_safe__with_a_disputed_root__leaves_it_and_its_bonds_to_the_arbiter(
    world: World, book: Book, customer: str
) -> None:
    disputer = address_of("disputer")
    world.bond(disputer, BOND)
    world.commit()
    world.post(book)
    world.dispute(disputer)
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    assert not world.logs("RootDropped")
    assert world.contract.bonds(disputer) == 0
    world.resolve(True, world.arbiter)
    assert world.contract.bonds(disputer) == BOND + BOND // 2


def test_fail_safe__of_a_settler_who_posts_but_never_cuts_later__opens_in_time(
    world: World, customer: str, payee: str
) -> None:
    """His roots keep the freeze within its grace for ever; they do not keep the fail-safe shut."""
    world.fund(customer, 1_000)
    world.contract.freeze(sender=customer)
    frozen_at = block()
    boa.env.time_travel(blocks=5)
    book = Book({payee: 300}, {customer: 400})
    first = now_s() + ACTIVATION_DELAY_S
    while now_s() < first + FAIL_SAFE_S:
        world.commit(cut=frozen_at + 3)
        world.post(book)
        world.activate()
        boa.env.time_travel(seconds=86_400)
        with boa.reverts("grace not over"):
            world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)
    assert world.contract.failSafeOpenAt() == first + FAIL_SAFE_S
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    assert world.token.balanceOf(customer) == 600


def test_fail_safe__of_a_settler_who_cuts_after_each_activation__stays_shut(
    world: World, customer: str, payee: str
) -> None:
    world.fund(customer, 1_000)
    book = Book({payee: 300}, {customer: 400})
    for _ in range(3):
        world.settle(book)
        assert world.contract.failSafeOpenAt() == now_s() + FAIL_SAFE_S


def test_fail_safe__of_a_settler_whose_epochs_wait_for_the_root_before__counts_every_second_root(
    world: World, customer: str, payee: str
) -> None:
    """He commits while a root is pending, and posts at once when it is active."""
    world.fund(customer, 1_000)
    book, counted = Book({payee: 300}, {customer: 400}), []
    world.commit()
    world.post(book)
    for _ in range(6):
        boa.env.time_travel(blocks=1)
        world.commit()
        world.activate()
        counted.append(world.contract.failSafeOpenAt() == now_s() + FAIL_SAFE_S)
        world.post(book)
    assert counted == [True, False] * 3


def test_hold__by_the_settler_who_is_back__shuts_the_fail_safe_for_half_its_time(
    world: World, book: Book, customer: str
) -> None:
    world.contract.holdFailSafe(sender=world.settler)
    (event,) = world.logs("FailSafeHeld")
    assert event.until == world.contract.failSafeHeldUntil() == now_s() + FAIL_SAFE_S // 2
    boa.env.time_travel(seconds=FAIL_SAFE_S // 2 - 1)
    with boa.reverts("fail-safe is held"):
        world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    boa.env.time_travel(seconds=1)
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)


def test_hold__by_another__reverts(world: World, book: Book, attacker: str) -> None:
    with boa.reverts("wrong role"):
        world.contract.holdFailSafe(sender=attacker)


def test_hold__before_the_fail_safe_is_open__reverts(world: World) -> None:
    with boa.reverts("fail-safe is shut"):
        world.contract.holdFailSafe(sender=world.settler)


def test_hold__again_before_the_fail_safe_was_open_for_its_time__reverts(
    world: World, book: Book
) -> None:
    world.contract.holdFailSafe(sender=world.settler)
    boa.env.time_travel(seconds=FAIL_SAFE_S // 2 + FAIL_SAFE_S - 1)
    with boa.reverts("held too recently"):
        world.contract.holdFailSafe(sender=world.settler)
    boa.env.time_travel(seconds=1)
    world.contract.holdFailSafe(sender=world.settler)


def test_fail_safe__when_the_token_refuses__reverts(odd_world: World, customer: str) -> None:
    odd_world.fund(customer, 10)
    odd_world.open_fail_safe()
    odd_world.token.answer_false_to(customer, True)
    with boa.reverts("transfer failed"):
        odd_world.contract.failSafeWithdraw(0, [], sender=customer)


def test_fail_safe__while_disputes_are_paused_for_long__opens_all_the_same(
    world: World, customer: str
) -> None:
    world.fund(customer, 10)
    world.contract.pause(DISPUTE, sender=world.owner)
    world.open_fail_safe()
    world.contract.failSafeWithdraw(0, [], sender=customer)
    assert world.contract.pending().root == NO_ROOT
