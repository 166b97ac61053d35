"""Withdrawals: freeze, wait for a cut past the grace, prove the charges of the latest root."""

import boa
import pytest
from book import Book
from world import GRACE_BLOCKS, NO_ROOT, WITHDRAW, World, address_of, block


@pytest.fixture
def book(world: World, customer: str, payee: str) -> Book:
    """Frozen, graced and charged 400 of 1,000 by the active root."""
    world.fund(customer, 1_000)
    world.contract.freeze(sender=customer)
    boa.env.time_travel(blocks=GRACE_BLOCKS)
    active = Book({payee: 300}, {customer: 400})
    world.settle(active)
    return active


def test_withdraw__of_a_frozen_account__pays_what_was_not_charged(
    world: World, book: Book, customer: str
) -> None:
    world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)
    (event,) = world.logs("Withdrawn")
    assert (event.account, event.recipient, event.amount, event.total) == (
        customer, customer, 600, 600,
    )  # fmt: skip
    assert world.token.balanceOf(customer) == world.contract.withdrawn(customer) == 600
    assert world.contract.creditTotal() == 400


def test_withdraw__with_a_recipient__pays_him(world: World, book: Book, customer: str) -> None:
    wallet = address_of("wallet")
    world.contract.setRecipient(wallet, sender=customer)
    world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)
    assert world.token.balanceOf(wallet) == 600


def test_withdraw__twice__reverts(world: World, book: Book, customer: str) -> None:
    world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)
    with boa.reverts("nothing left"):
        world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)


def test_withdraw__while_withdrawals_are_paused__reverts(
    world: World, book: Book, customer: str
) -> None:
    world.contract.pause(WITHDRAW, sender=world.owner)
    with boa.reverts("withdrawals are paused"):
        world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)


def test_withdraw__of_an_account_that_is_not_frozen__reverts(
    world: World, book: Book, customer: str
) -> None:
    other = address_of("other customer")
    world.fund(other, 10)
    later = Book(dict(book.earned), {**book.charged, other: 0})
    world.settle(later)
    with boa.reverts("not frozen"):
        world.contract.withdraw(later.root, *later.charge_of(other), sender=other)


def test_withdraw__with_a_cut_one_block_short_of_the_grace__reverts(
    world: World, customer: str, payee: str
) -> None:
    world.fund(customer, 1_000)
    world.contract.freeze(sender=customer)
    frozen_at = block()
    book = Book({payee: 300}, {customer: 400})
    boa.env.time_travel(blocks=GRACE_BLOCKS + 1)
    world.commit(cut=frozen_at + GRACE_BLOCKS - 1)
    world.post(book)
    world.activate()
    with boa.reverts("grace not over"):
        world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)
    world.commit(cut=frozen_at + GRACE_BLOCKS)
    world.post(book)
    world.activate()
    world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)


@pytest.mark.parametrize("charged", [0, 399, 401])
def test_withdraw__with_other_charges_than_the_leafs__reverts(
    world: World, book: Book, customer: str, charged: int
) -> None:
    proof = book.charge_of(customer)[1]
    with boa.reverts("bad proof"):
        world.contract.withdraw(book.root, charged, proof, sender=customer)


def test_withdraw__with_anothers_leaf__reverts(
    world: World, book: Book, customer: str, attacker: str
) -> None:
    world.fund(attacker, 5)
    world.contract.freeze(sender=attacker)
    boa.env.time_travel(blocks=GRACE_BLOCKS)
    later = Book(dict(book.earned), {**book.charged, attacker: 5})
    world.settle(later)
    with boa.reverts("bad proof"):
        world.contract.withdraw(later.root, *later.charge_of(customer), sender=attacker)


def test_withdraw__of_earnings_as_if_they_were_charges__reverts(
    world: World, book: Book, payee: str
) -> None:
    world.fund(payee, 1_000)
    world.contract.freeze(sender=payee)
    boa.env.time_travel(blocks=GRACE_BLOCKS)
    world.settle(Book(dict(book.earned), {**book.charged, payee: 0}))
    later = Book({payee: 0}, {})
    root = world.contract.activeRoot()
    with boa.reverts("bad proof"):
        world.contract.withdraw(root, 0, later.proof_of(0, payee), sender=payee)


def test_withdraw__before_any_root__reverts(world: World, customer: str) -> None:
    world.fund(customer, 1_000)
    world.contract.freeze(sender=customer)
    with boa.reverts("not the active root"):
        world.contract.withdraw(NO_ROOT, 0, [], sender=customer)


def test_withdraw__when_the_token_refuses__reverts(
    odd_world: World, customer: str, payee: str
) -> None:
    odd_world.fund(customer, 1_000)
    odd_world.contract.freeze(sender=customer)
    boa.env.time_travel(blocks=GRACE_BLOCKS)
    book = Book({payee: 300}, {customer: 400})
    odd_world.settle(book)
    odd_world.token.revert_to(customer, True)
    with boa.reverts("transfer failed"):
        odd_world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)
    assert odd_world.contract.withdrawn(customer) == 0


def test_withdraw__that_makes_a_pending_root_break_its_cap__drops_that_root(
    world: World, book: Book, customer: str, payee: str
) -> None:
    wrong = Book({payee: 300}, {customer: 700})
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(wrong)
    world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)
    assert [event.root for event in world.logs("RootDropped")] == [wrong.root]
    assert world.contract.pending().root == NO_ROOT


def test_withdraw__that_leaves_a_pending_root_right__keeps_it(
    world: World, book: Book, customer: str
) -> None:
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(book)
    world.contract.withdraw(book.root, *book.charge_of(customer), sender=customer)
    world.activate()
    assert world.contract.nextEpoch() == 2
