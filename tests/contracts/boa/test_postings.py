"""Commits, postings and activations: every requirement has a test that breaks it."""

from typing import Any

import boa
import pytest
from book import Book
from world import ACTIVATION_DELAY_S, BOND, DISPUTE, NO_ROOT, POST, World, block, now_s


@pytest.fixture
def book(world: World, customer: str, payee: str) -> Book:
    """A right book over 1,000 units of credit, with epoch 7 committed."""
    world.fund(customer, 1_000)
    boa.env.time_travel(blocks=5)
    world.commit(7)
    return Book({payee: 300}, {customer: 400})


def test_commit_epoch__by_the_settler__is_stored_and_logged(world: World) -> None:
    world.contract.commitEpoch(3, b"\x01" * 32, block() - 1, sender=world.settler)
    (event,) = world.logs("EpochCommitted")
    assert (event.epoch, event.answersHash, event.cutBlock) == (3, b"\x01" * 32, block() - 1)
    assert tuple(world.contract.epochCommit(3)) == (b"\x01" * 32, block() - 1)
    assert (world.contract.nextEpoch(), world.contract.nextCommit()) == (3, 4)


def test_commit_epoch__by_another__reverts(world: World, attacker: str) -> None:
    with boa.reverts("wrong role"):
        world.contract.commitEpoch(0, b"\x01" * 32, 1, sender=attacker)


@pytest.mark.parametrize("epoch", [7, 9])
def test_commit_epoch__that_is_not_the_next__reverts(world: World, book: Book, epoch: int) -> None:
    with boa.reverts("not the next epoch"):
        world.commit(epoch)


def test_commit_epoch__with_a_cut_before_the_last__reverts(world: World, book: Book) -> None:
    with boa.reverts("cut goes back"):
        world.commit(8, cut=block() - 2)


def test_commit_epoch__with_a_cut_that_is_not_past__reverts(world: World) -> None:
    with boa.reverts("cut is no past block"):
        world.commit(0, cut=block())


def test_commit_epoch__without_a_hash__reverts(world: World) -> None:
    with boa.reverts("hash is zero"):
        world.contract.commitEpoch(0, NO_ROOT, 1, sender=world.settler)


def test_commit_epoch__while_posting_is_paused__reverts(world: World) -> None:
    world.contract.pause(POST, sender=world.owner)
    with boa.reverts("posting is paused"):
        world.commit(0)


def test_post_root__right__is_pending_and_logged(world: World, book: Book) -> None:
    world.post(book)
    (event,) = world.logs("RootPosted")
    active_at = now_s() + ACTIVATION_DELAY_S
    assert (event.root, event.fromEpoch, event.toEpoch, event.attempt) == (book.root, 7, 7, 1)
    assert (event.parentRoot, event.settlementHash) == (NO_ROOT, b"\x05" * 32)
    assert (event.earnedTotal, event.chargedTotal) == (300, 400)
    assert (event.pinnedBlock, event.activeAt) == (block() - 1, active_at)
    pending = world.contract.pending()
    assert (pending.root, pending.fromEpoch, pending.toEpoch) == (book.root, 7, 7)
    assert (pending.attempt, pending.activeAt) == (1, active_at)
    assert world.contract.activeRoot() == NO_ROOT


def test_post_root__while_posting_is_paused__reverts(world: World, book: Book) -> None:
    world.contract.pause(POST, sender=world.owner)
    with boa.reverts("posting is paused"):
        world.post(book)


def test_post_root__by_another__reverts(world: World, book: Book, attacker: str) -> None:
    with boa.reverts("wrong role"):
        world.contract.postRoot(*world.posting(book), sender=attacker)


def test_post_root__while_one_is_pending__reverts(world: World, book: Book) -> None:
    world.post(book)
    with boa.reverts("a root is pending"):
        world.post(book, attempt=2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"from_epoch": 6}, "not the next epoch"),
        ({"from_epoch": 8, "to_epoch": 8}, "not the next epoch"),
        ({"to_epoch": 6}, "no epoch"),
        ({"to_epoch": 8}, "epoch not committed"),
        ({"attempt": 0}, "attempt used"),
        ({"root": NO_ROOT}, "root is zero"),
        ({"parent": b"\x09" * 32}, "parent is not active"),
        ({"earned": 401}, "earned above charged"),
        ({"earned": 2**192, "charged": 2**192}, "earned total too large"),
        ({"charged": 1_001}, "charged above credit"),
    ],
)
def test_post_root__with_one_wrong_argument__reverts(
    world: World, book: Book, changes: dict[str, Any], reason: str
) -> None:
    with boa.reverts(reason):
        world.post(book, **changes)


def test_post_root__before_any_commit__reverts(world: World) -> None:
    with boa.reverts("epoch not committed"):
        world.post(Book({}, {world.owner: 0}), to_epoch=0)


def test_post_root__pinned_before_its_cut__reverts(world: World, book: Book) -> None:
    with boa.reverts("pin too early"):
        world.post(book, pinned=block() - 2)


def test_post_root__pinned_at_no_past_block__reverts(world: World, book: Book) -> None:
    with boa.reverts("pin is no past block"):
        world.post(book, pinned=block())


@pytest.mark.parametrize("total", ["earned", "charged"])
def test_post_root__with_a_total_that_shrinks__reverts(
    world: World, book: Book, total: str
) -> None:
    world.post(book)
    world.activate()
    boa.env.time_travel(blocks=1)
    world.commit()
    with boa.reverts(f"{total} total shrinks"):
        world.post(book, **{total: {"earned": 299, "charged": 399}[total]})


def test_post_root__without_the_bond__reverts(world: World, book: Book) -> None:
    world.contract.withdrawBond(999 * BOND + 1, sender=world.settler)
    with boa.reverts("bond too low"):
        world.post(book)


def test_post_root__over_several_epochs__activates_all(world: World, book: Book) -> None:
    world.commit()
    world.commit()
    world.post(book)
    assert world.contract.pending().toEpoch == 9
    world.activate()
    assert world.contract.nextEpoch() == 10


def test_post_root__with_the_active_root_again__activates(world: World, book: Book) -> None:
    world.post(book)
    world.activate()
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(book)
    world.activate()
    assert world.contract.activeRoot() == book.root
    assert world.contract.rootActivatedAt(book.root) == now_s()
    assert world.contract.claimedTotal() == 0


def test_activate_root__after_its_delay__is_active(world: World, book: Book, attacker: str) -> None:
    world.post(book)
    pinned = block() - 1
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
    world.contract.activateRoot(sender=attacker)
    (event,) = world.logs("RootActivated")
    assert (event.root, event.toEpoch) == (book.root, 7)
    contract = world.contract
    assert contract.activeRoot() == book.root
    assert contract.rootActivatedAt(book.root) == now_s()
    assert (contract.earnedTotal(), contract.chargedTotal()) == (300, 400)
    assert contract.activePinnedBlock() == contract.minPinnedBlock() == pinned
    assert contract.pending().root == NO_ROOT


def test_activate_root__a_second_early__reverts(world: World, book: Book) -> None:
    world.post(book)
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S - 1)
    with boa.reverts("delay not over"):
        world.contract.activateRoot()


def test_activate_root__twice__reverts(world: World, book: Book) -> None:
    world.post(book)
    world.activate()
    with boa.reverts("nothing pending"):
        world.contract.activateRoot()


def test_activate_root__while_disputes_are_paused__reverts(world: World, book: Book) -> None:
    world.post(book)
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
    world.contract.pause(DISPUTE, sender=world.owner)
    with boa.reverts("disputes are paused"):
        world.contract.activateRoot()


def test_activate_root__while_disputed__reverts(world: World, book: Book, attacker: str) -> None:
    world.post(book)
    world.bond(attacker, BOND)
    world.dispute(attacker)
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
    with boa.reverts("disputed"):
        world.contract.activateRoot()
