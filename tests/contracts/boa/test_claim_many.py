"""claimMany: one bad claim never spoils the others, and is named."""

import boa
import pytest
from book import Book
from world import World, address_of

PAYEES = [address_of(f"payee {number}") for number in range(25)]


def book_of(customer: str, **changes: int) -> Book:
    earned = {payee: 100 + number for number, payee in enumerate(PAYEES)}
    return Book(earned, {customer: sum(earned.values())})


@pytest.fixture
def book(world: World, customer: str) -> Book:
    world.fund(customer, 10_000)
    active = book_of(customer)
    world.settle(active)
    return active


def test_claim_many__of_25__pays_each(world: World, book: Book) -> None:
    claims = [book.claim_of(payee) for payee in PAYEES]
    assert world.contract.claimMany(book.root, claims) == sum(book.earned.values())
    assert [event.payee for event in world.logs("Claimed")] == PAYEES
    assert not world.logs("ClaimSkipped")
    assert [world.token.balanceOf(payee) for payee in PAYEES] == list(book.earned.values())
    assert world.contract.claimedTotal() == sum(book.earned.values())


def test_claim_many__with_failures__skips_them_by_name_and_pays_the_rest(
    world: World, book: Book
) -> None:
    world.contract.claim(book.root, *book.claim_of(PAYEES[0]))
    payee, units, proof = book.claim_of(PAYEES[1])
    claims = [
        book.claim_of(PAYEES[0]),
        (payee, units + 1, proof),
        book.claim_of(PAYEES[2]),
        book.claim_of(PAYEES[2]),
    ]
    assert world.contract.claimMany(book.root, claims) == book.earned[PAYEES[2]]
    skipped = [(event.payee, event.reason) for event in world.logs("ClaimSkipped")]
    assert skipped == [
        (PAYEES[0], "nothing to claim"),
        (PAYEES[1], "bad proof"),
        (PAYEES[2], "nothing to claim"),
    ]
    assert [event.payee for event in world.logs("Claimed")] == [PAYEES[2]]


def test_claim_many__above_the_earned_total__skips_what_does_not_fit(
    world: World, customer: str
) -> None:
    world.fund(customer, 10_000)
    lying = book_of(customer)
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(lying, earned=250)
    world.activate()
    assert world.contract.claimMany(lying.root, [lying.claim_of(p) for p in PAYEES[:3]]) == 201
    assert [(event.payee, event.reason) for event in world.logs("ClaimSkipped")] == [
        (PAYEES[2], "above earned total")
    ]


@pytest.mark.parametrize("how", ["revert_to", "answer_false_to"])
def test_claim_many__to_a_recipient_whom_the_token_refuses__skips_him_unharmed(
    odd_world: World, customer: str, how: str
) -> None:
    odd_world.fund(customer, 10_000)
    book = book_of(customer)
    odd_world.settle(book)
    getattr(odd_world.token, how)(PAYEES[0], True)
    paid = odd_world.contract.claimMany(book.root, [book.claim_of(p) for p in PAYEES[:2]])
    assert paid == book.earned[PAYEES[1]]
    assert [(event.payee, event.reason) for event in odd_world.logs("ClaimSkipped")] == [
        (PAYEES[0], "transfer failed")
    ]
    getattr(odd_world.token, how)(PAYEES[0], False)
    assert odd_world.contract.claim(book.root, *book.claim_of(PAYEES[0])) == book.earned[PAYEES[0]]
    assert odd_world.contract.claimedTotal() == paid + book.earned[PAYEES[0]]


def test_claim_many__for_payees_with_recipients__pays_those(world: World, book: Book) -> None:
    wallet = address_of("wallet")
    world.contract.setRecipient(wallet, sender=PAYEES[3])
    world.contract.claimMany(book.root, [book.claim_of(p) for p in PAYEES[2:5]])
    assert world.token.balanceOf(wallet) == book.earned[PAYEES[3]]
    assert world.token.balanceOf(PAYEES[3]) == 0


def test_claim_many__of_nobody__pays_nothing(world: World, book: Book) -> None:
    assert world.contract.claimMany(book.root, []) == 0


def test_claim_many__by_a_root_that_never_was_active__reverts(world: World, book: Book) -> None:
    with boa.reverts("root was never active"):
        world.contract.claimMany(b"\x01" * 32, [book.claim_of(PAYEES[0])])


def test_claim_many__by_an_older_root__pays_what_it_says(
    world: World, book: Book, customer: str
) -> None:
    later = Book({**book.earned, PAYEES[0]: 150}, {customer: book.charged[customer] + 50})
    world.settle(later)
    assert world.contract.claimMany(book.root, [book.claim_of(p) for p in PAYEES]) == sum(
        book.earned.values()
    )
    assert world.contract.claimMany(later.root, [later.claim_of(p) for p in PAYEES]) == 50
