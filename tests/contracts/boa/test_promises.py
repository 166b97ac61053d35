"""The promises of the contract, each told as the story that would break it."""

import boa
import pytest
from book import Book
from world import (
    ACTIVATION_DELAY_S,
    BOND,
    FAIL_SAFE_S,
    GRACE_BLOCKS,
    NO_ROOT,
    World,
    address_of,
    block,
)


def test_older_roots_proof__after_a_later_root_charged_more__does_not_withdraw(
    world: World, customer: str, payee: str
) -> None:
    world.fund(customer, 1_000)
    world.contract.freeze(sender=customer)
    boa.env.time_travel(blocks=GRACE_BLOCKS)
    older = Book({payee: 0}, {customer: 0})
    world.settle(older)
    latest = Book({payee: 700}, {customer: 700})
    world.settle(latest)
    with boa.reverts("not the active root"):
        world.contract.withdraw(older.root, *older.charge_of(customer), sender=customer)
    with boa.reverts("bad proof"):
        world.contract.withdraw(latest.root, *older.charge_of(customer), sender=customer)
    world.open_fail_safe()
    with boa.reverts("bad proof"):
        world.contract.failSafeWithdraw(*older.charge_of(customer), sender=customer)
    world.contract.withdraw(latest.root, *latest.charge_of(customer), sender=customer)
    assert world.token.balanceOf(customer) == 300


def test_escaped_charge__of_what_a_fail_safe_withdrawal_took__cannot_be_posted(
    world: World, customer: str, payee: str
) -> None:
    other = address_of("other customer")
    world.fund(customer, 1_000)
    world.fund(other, 5_000)
    book = Book({payee: 300}, {customer: 400, other: 0})
    world.settle(book)
    world.open_fail_safe()
    known = block() - 1
    world.commit()
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    # It charges 500 of the 600 that are gone, from a snapshot that does not know: the sums of
    # the contract alone would allow it, since the other customer's credit covers them.
    escaping = Book({payee: 800}, {customer: 900, other: 0})
    boa.env.time_travel(blocks=1)
    with boa.reverts("pin too early"):
        world.post(escaping, pinned=known)
    world.post(book, pinned=block() - 1)


def test_escaped_charge__in_a_root_that_is_pending_at_the_withdrawal__is_dropped_with_it(
    world: World, customer: str, payee: str
) -> None:
    other = address_of("other customer")
    world.fund(customer, 1_000)
    world.fund(other, 5_000)
    book = Book({payee: 300}, {customer: 400, other: 0})
    world.settle(book)
    world.open_fail_safe()
    world.commit()
    world.post(Book({payee: 800}, {customer: 900, other: 0}))
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
    with boa.reverts("nothing pending"):
        world.contract.activateRoot()


def test_new_account__with_a_deposit_after_the_last_active_root__is_not_stuck(
    world: World, customer: str, payee: str
) -> None:
    newcomer = address_of("newcomer")
    world.fund(customer, 1_000)
    book = Book({payee: 300}, {customer: 400})
    world.settle(book)
    world.fund(newcomer, 70)
    world.contract.freeze(sender=newcomer)
    with boa.env.anchor():
        world.open_fail_safe()
        world.contract.failSafeWithdraw(0, [], sender=newcomer)
        assert world.token.balanceOf(newcomer) == 70
    boa.env.time_travel(blocks=GRACE_BLOCKS)
    later = Book({payee: 300}, {customer: 400, newcomer: 0})
    world.settle(later)
    world.contract.withdraw(later.root, *later.charge_of(newcomer), sender=newcomer)
    assert world.token.balanceOf(newcomer) == 70


def test_new_account__funded_in_the_block_after_the_pin__is_not_stuck(
    world: World, customer: str, payee: str
) -> None:
    newcomer = address_of("newcomer")
    world.fund(customer, 1_000)
    boa.env.time_travel(blocks=1)
    world.commit()
    world.fund(newcomer, 70)
    world.post(Book({payee: 300}, {customer: 400}), pinned=block() - 1)
    world.activate()
    world.open_fail_safe()
    world.contract.failSafeWithdraw(0, [], sender=newcomer)
    assert world.token.balanceOf(newcomer) == 70


def test_fail_safe_withdrawal__does_not_block_later_roots(
    world: World, customer: str, payee: str
) -> None:
    other = address_of("other customer")
    world.fund(customer, 1_000)
    world.fund(other, 500)
    book = Book({payee: 300}, {customer: 400, other: 0})
    world.settle(book)
    world.open_fail_safe()
    world.contract.failSafeWithdraw(*book.charge_of(customer), sender=customer)
    later = Book({payee: 500}, {customer: 400, other: 200})
    world.settle(later)
    assert world.contract.activeRoot() == later.root
    world.contract.claim(later.root, *later.claim_of(payee))
    assert world.token.balanceOf(payee) == 500


def test_dust_withdrawals__each_block__do_not_block_the_roots_of_a_settler_who_holds(
    world: World, customer: str, payee: str
) -> None:
    world.fund(customer, 1_000)
    griefers = [address_of(f"griefer {number}") for number in range(4)]
    for griefer in griefers:
        world.fund(griefer, 1)
    world.open_fail_safe()
    world.commit(0)
    for griefer in griefers[:2]:
        world.contract.failSafeWithdraw(0, [], sender=griefer)
        boa.env.time_travel(blocks=1)
    world.contract.holdFailSafe(sender=world.settler)
    for griefer in griefers[2:]:
        with boa.reverts("fail-safe is held"):
            world.contract.failSafeWithdraw(0, [], sender=griefer)
        boa.env.time_travel(blocks=1)
    world.post(Book({payee: 10}, {customer: 10, **dict.fromkeys(griefers, 0)}))
    world.activate()
    assert world.contract.nextEpoch() == 1


def test_hold__by_a_settler_who_posts_nothing__leaves_the_fail_safe_open_two_thirds_of_the_time(
    world: World, customer: str
) -> None:
    world.fund(customer, 1_000)
    world.open_fail_safe()
    days_open = 0
    for _ in range(90):
        if not world.refuses("holdFailSafe", sender=world.settler):
            world.contract.holdFailSafe(sender=world.settler)
        boa.env.time_travel(seconds=86_400)
        days_open += not world.refuses("failSafeWithdraw", 0, [], sender=customer)
    assert FAIL_SAFE_S == 14 * 86_400
    assert days_open >= 90 * 2 // 3


def test_caps__at_post__hold(world: World, customer: str, payee: str) -> None:
    world.fund(customer, 1_000)
    boa.env.time_travel(blocks=1)
    world.commit()
    with boa.reverts("charged above credit"):
        world.post(Book({payee: 1_001}, {customer: 1_001}))
    with boa.reverts("earned above charged"):
        world.post(Book({payee: 401}, {customer: 400}))
    world.post(Book({payee: 1_000}, {customer: 1_000}))


@pytest.mark.parametrize(
    ("slot", "value", "reason"),
    [
        ("creditTotal", 399, "charged above credit"),
        ("pending_earned", 401, "earned above charged"),
    ],
)
def test_caps__at_activation__hold_even_if_the_books_were_wrong(
    world: World, customer: str, payee: str, slot: str, value: int, reason: str
) -> None:
    world.fund(customer, 1_000)
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(Book({payee: 300}, {customer: 400}))
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
    with boa.env.anchor():
        layout = world.contract.compiler_data.storage_layout["storage_layout"]
        boa.env.set_storage(world.contract.address, layout[slot]["slot"], value)
        with boa.reverts(reason):
            world.contract.activateRoot()
    world.contract.activateRoot()


def test_caps__after_a_withdrawal__hold(world: World, customer: str, payee: str) -> None:
    """A lying leaf, charged less than the total says, cannot take what payees earned."""
    world.fund(customer, 1_000)
    world.contract.freeze(sender=customer)
    boa.env.time_travel(blocks=GRACE_BLOCKS + 1)
    world.commit()
    lying = Book({payee: 400}, {customer: 0})
    world.post(lying, charged=400)
    world.activate()
    with boa.reverts("charged above credit"):
        world.contract.withdraw(lying.root, *lying.charge_of(customer), sender=customer)
    world.open_fail_safe()
    with boa.reverts("charged above credit"):
        world.contract.failSafeWithdraw(*lying.charge_of(customer), sender=customer)


def test_bonds__are_never_paid_to_payees(world: World, customer: str, payee: str) -> None:
    """Even a root whose leaves are above everything takes no more than its earned total."""
    world.fund(customer, 1_000)
    boa.env.time_travel(blocks=1)
    world.commit()
    held = world.contract.bondsHeld()
    lying = Book({payee: 1_000, address_of("friend"): held}, {customer: 1_000})
    world.post(lying, earned=1_000)
    world.activate()
    claims = [lying.claim_of(payee), lying.claim_of(address_of("friend"))]
    assert world.contract.claimMany(lying.root, claims) == 1_000
    assert world.token.balanceOf(world.contract) == held


def test_postings__form_one_chain_of_contiguous_epochs(
    world: World, customer: str, payee: str
) -> None:
    world.fund(customer, 1_000)
    parent, first = NO_ROOT, 4
    world.commit(4)
    for number in range(1, 5):
        book = Book({payee: 100 * number}, {customer: 100 * number})
        with boa.reverts("parent is not active"):
            world.post(book, parent=b"\x07" * 32)
        with boa.reverts("not the next epoch"):
            world.post(book, from_epoch=first + 1)
        world.post(book, parent=parent)
        with boa.reverts("a root is pending"):
            world.post(book, parent=book.root, from_epoch=first + 1, attempt=1)
        world.activate()
        world.commit()
        parent, first = book.root, first + 1


def test_binding_an_owner__works_once_for_good(world: World, payee: str, attacker: str) -> None:
    world.contract.bindOwner("press", payee, sender=world.settler)
    with boa.reverts("already bound"):
        world.contract.bindOwner("press", attacker, sender=world.settler)


def test_silent_arbiter__drops_the_root_returns_bonds_and_lets_the_next_attempt_in(
    world: World, customer: str, payee: str
) -> None:
    world.fund(customer, 1_000)
    disputer = address_of("disputer")
    world.bond(disputer, 10 * BOND)
    boa.env.time_travel(blocks=1)
    world.commit(0)
    book = Book({payee: 300}, {customer: 400})
    world.post(book, attempt=1)
    world.dispute(disputer)
    boa.env.time_travel(seconds=world.contract.arbiterDeadlineS())
    world.contract.expireDispute()
    assert world.contract.bonds(disputer) == 10 * BOND
    world.post(book, attempt=2)
    world.activate()
    assert world.contract.activeRoot() == book.root
