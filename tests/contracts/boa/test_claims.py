"""Claims: by any root that was ever active, once, for anybody, never past the cap."""

from typing import Any

import boa
import pytest
from book import Book
from world import CLAIM, ZERO, World, address_of


@pytest.fixture
def book(world: World, customer: str, payee: str) -> Book:
    """An active book in which the payee earned 300 of 400 charged units."""
    world.fund(customer, 1_000)
    active = Book({payee: 300}, {customer: 400})
    world.settle(active)
    return active


def test_claim__of_ones_own_leaf__pays_and_logs(world: World, book: Book, payee: str) -> None:
    assert world.contract.claim(book.root, *book.claim_of(payee), sender=payee) == 300
    (event,) = world.logs("Claimed")
    assert (event.payee, event.recipient, event.amount, event.cumulative) == (
        payee, payee, 300, 300,
    )  # fmt: skip
    assert world.token.balanceOf(payee) == world.contract.claimed(payee) == 300
    assert world.contract.claimedTotal() == 300


def test_claim__on_behalf__pays_the_payees_own_recipient(
    world: World, book: Book, payee: str, attacker: str
) -> None:
    wallet = address_of("wallet")
    world.contract.setRecipient(wallet, sender=payee)
    (event,) = world.logs("RecipientSet")
    assert (event.payee, event.recipient) == (payee, wallet)
    world.contract.claim(book.root, *book.claim_of(payee), sender=attacker)
    (event,) = world.logs("Claimed")
    assert (event.payee, event.recipient) == (payee, wallet)
    assert world.token.balanceOf(wallet) == 300
    assert world.token.balanceOf(attacker) == world.token.balanceOf(payee) == 0


def test_set_recipient__to_zero__pays_the_payee_again(world: World, book: Book, payee: str) -> None:
    world.contract.setRecipient(address_of("wallet"), sender=payee)
    world.contract.setRecipient(ZERO, sender=payee)
    assert world.contract.recipientOf(payee) == payee
    world.contract.claim(book.root, *book.claim_of(payee))
    assert world.token.balanceOf(payee) == 300


def test_set_recipient__after_a_claim__keeps_what_was_claimed(
    world: World, book: Book, payee: str
) -> None:
    world.contract.claim(book.root, *book.claim_of(payee))
    world.contract.setRecipient(address_of("wallet"), sender=payee)
    assert world.contract.claimed(payee) == 300
    with boa.reverts("nothing to claim"):
        world.contract.claim(book.root, *book.claim_of(payee))


def test_claim__twice__reverts(world: World, book: Book, payee: str) -> None:
    world.contract.claim(book.root, *book.claim_of(payee))
    with boa.reverts("nothing to claim"):
        world.contract.claim(book.root, *book.claim_of(payee))


def test_claim__of_more_by_a_later_root__pays_the_difference(
    world: World, book: Book, payee: str
) -> None:
    world.contract.claim(book.root, *book.claim_of(payee))
    later = Book({payee: 350}, dict(book.charged))
    world.settle(later)
    assert world.contract.claim(later.root, *later.claim_of(payee)) == 50
    assert world.token.balanceOf(payee) == world.contract.claimedTotal() == 350


def test_claim__by_an_older_root__pays_what_it_says(world: World, book: Book, payee: str) -> None:
    later = Book({payee: 350}, dict(book.charged))
    world.settle(later)
    assert world.contract.claim(book.root, *book.claim_of(payee)) == 300
    assert world.contract.claim(later.root, *later.claim_of(payee)) == 50
    with boa.reverts("nothing to claim"):
        world.contract.claim(book.root, *book.claim_of(payee))


def test_claim__by_a_root_that_never_was_active__reverts(
    world: World, book: Book, payee: str
) -> None:
    boa.env.time_travel(blocks=1)
    world.commit()
    pending = Book({payee: 399}, dict(book.charged))
    world.post(pending)
    with boa.reverts("root was never active"):
        world.contract.claim(pending.root, *pending.claim_of(payee))


@pytest.mark.parametrize("change", ["amount", "payee", "sibling", "longer", "shorter"])
def test_claim__with_a_changed_leaf_or_proof__reverts(
    world: World, book: Book, payee: str, attacker: str, change: str
) -> None:
    who, units, proof = book.claim_of(payee)
    wrong: dict[str, tuple[Any, ...]] = {
        "amount": (who, units + 1, proof),
        "payee": (attacker, units, proof),
        "sibling": (who, units, [b"\x00" * 32]),
        "longer": (who, units, [*proof, b"\x00" * 32]),
        "shorter": (who, units, proof[:-1]),
    }
    with boa.reverts("bad proof"):
        world.contract.claim(book.root, *wrong[change])


def test_claim__of_a_charge_as_if_it_was_earned__reverts(
    world: World, book: Book, customer: str
) -> None:
    with boa.reverts("bad proof"):
        world.contract.claim(book.root, customer, *book.charge_of(customer))


def test_claim__of_more_than_the_earned_total__reverts(
    world: World, customer: str, payee: str
) -> None:
    world.fund(customer, 1_000)
    lying = Book({payee: 300, address_of("friend"): 300}, {customer: 400})
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(lying, earned=400)
    world.activate()
    world.contract.claim(lying.root, *lying.claim_of(payee))
    with boa.reverts("above earned total"):
        world.contract.claim(lying.root, *lying.claim_of(address_of("friend")))
    assert world.contract.claimedTotal() == 300


def test_claim__while_claims_are_paused__reverts_by_every_root(
    world: World, book: Book, payee: str
) -> None:
    later = Book({payee: 350}, dict(book.charged))
    world.settle(later)
    world.contract.pause(CLAIM, sender=world.owner)
    for root in (book, later):
        with boa.reverts("claims are paused"):
            world.contract.claim(root.root, *root.claim_of(payee))
        with boa.reverts("claims are paused"):
            world.contract.claimMany(root.root, [root.claim_of(payee)])


@pytest.mark.parametrize("how", ["unpaused", "lapsed"])
def test_claim__after_a_pause_over_a_new_root__pays_all(
    world: World, book: Book, payee: str, how: str
) -> None:
    world.contract.pause(CLAIM, sender=world.owner)
    later = Book({payee: 350}, dict(book.charged))
    world.settle(later)
    assert world.contract.claimedTotal() == 0
    if how == "unpaused":
        world.contract.unpause(CLAIM, sender=world.owner)
    else:
        boa.env.time_travel(seconds=world.contract.failSafeS())
    assert world.contract.claim(later.root, *later.claim_of(payee)) == 350
    assert world.contract.claimedTotal() == 350


@pytest.mark.parametrize("how", ["revert_to", "answer_false_to"])
def test_claim__when_the_token_refuses__reverts_and_can_be_repeated(
    odd_world: World, customer: str, payee: str, how: str
) -> None:
    odd_world.fund(customer, 1_000)
    book = Book({payee: 300}, {customer: 400})
    odd_world.settle(book)
    getattr(odd_world.token, how)(payee, True)
    with boa.reverts("transfer failed"):
        odd_world.contract.claim(book.root, *book.claim_of(payee))
    getattr(odd_world.token, how)(payee, False)
    assert odd_world.contract.claim(book.root, *book.claim_of(payee)) == 300


def test_claim__that_is_entered_again_by_the_token__pays_once(
    odd_world: World, customer: str, payee: str
) -> None:
    odd_world.fund(customer, 1_000)
    book = Book({payee: 300, address_of("friend"): 50}, {customer: 400})
    odd_world.settle(book)
    inner = odd_world.contract.claim.prepare_calldata(
        book.root, *book.claim_of(address_of("friend"))
    )
    odd_world.token.call_back(odd_world.contract, inner)
    with boa.reverts():
        odd_world.contract.claim(book.root, *book.claim_of(payee))
