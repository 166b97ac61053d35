"""The stateful test's own ledger: plain sums by account, which share no code with the contract."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from book import Book
from world import BOND, GRACE_BLOCKS


@dataclass
class Ledger:
    """What the chain knows of accounts at one block."""

    deposited: dict[str, int] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)
    frozen: dict[str, int] = field(default_factory=dict)

    @property
    def credit(self) -> int:
        return sum(self.deposited.values()) - sum(self.withdrawn.values())

    def left(self, account: str, charged: int) -> int:
        taken = self.withdrawn.get(account, 0)
        return self.deposited.get(account, 0) - taken - charged

    def deposit(self, account: str, units: int) -> None:
        self.deposited[account] = self.deposited.get(account, 0) + units

    def withdraw_all(self, account: str, charged: int) -> None:
        taken = self.withdrawn.get(account, 0)
        self.withdrawn[account] = taken + self.left(account, charged)


@dataclass
class History:
    """The ledger as it was at the end of each block."""

    blocks: dict[int, Ledger] = field(default_factory=lambda: {0: Ledger()})

    def keep(self, block: int, ledger: Ledger) -> None:
        self.blocks[block] = copy.deepcopy(ledger)

    def at(self, pinned: int) -> Ledger:
        return self.blocks[max(number for number in self.blocks if number <= pinned)]


@dataclass(frozen=True)
class Posted:
    """A posting as the settler made it.

    Attributes:
        book: its leaves.
        parent: the root that was active.
        first: its first epoch.
        last: its last one.
        pinned: its pinned block.
        is_false: whether the book is not what the inputs give.
    """

    book: Book
    parent: bytes
    first: int
    last: int
    pinned: int
    is_false: bool = False

    def is_broken(self, credit: int, pinned_min: int) -> bool:
        """Whether withdrawals made it impossible."""
        return sum(self.book.charged.values()) > credit or self.pinned < pinned_min


@dataclass
class Bonds:
    """Who holds which bond, by the rules of README.md.

    Attributes:
        held: free and bonding, by holder; without that of an open dispute.
        drops: attempts that disputes dropped since the last active root.
        sunk: what nobody has any more.
        is_open: whether a dispute is.
    """

    held: dict[str, int]
    drops: int = 0
    sunk: int = 0
    is_open: bool = False

    @property
    def now(self) -> int:
        return BOND << min(self.drops, 16)

    @property
    def total(self) -> int:
        return sum(self.held.values()) + self.now * self.is_open

    def dispute(self, disputer: str) -> None:
        self.held[disputer] -= self.now
        self.is_open = True

    def decide(self, winner: str, loser: str, disputer: str, upheld: bool) -> None:
        self.held[disputer] += self.now
        self.held[loser] -= self.now
        self.held[winner] += self.now // 2
        self.sunk += self.now - self.now // 2
        self.is_open = False
        self.drops += upheld

    def expire(self, disputer: str) -> None:
        self.held[disputer] += self.now
        self.is_open = False
        self.drops += 1


def honest_book(
    before: Book, known: Ledger, cut_before: int | None, choose: Callable[[list[int]], int]
) -> Book:
    """Charges within what the pinned block knows; a frozen account's only up to its last epoch.

    Args:
        before: the active leaves.
        known: the ledger at the pinned block.
        cut_before: cut of the last active epoch: whom it froze out is charged no more.
        choose: picks how much is charged or earned.
    """
    charged = {}
    for account in known.deposited:
        spent = before.charged.get(account, 0)
        frozen = known.frozen.get(account)
        out = frozen is not None and cut_before is not None and cut_before >= frozen + GRACE_BLOCKS
        left = 0 if out else known.left(account, spent)
        charged[account] = spent + choose([left // 3, 0, left // 2, left])
    pool = sum(charged.values()) - sum(before.charged.values())
    earned = dict(before.earned)
    lucky = choose(list(range(len(earned))))
    earned[list(earned)[lucky]] += choose([pool, pool // 2])
    return Book(earned, charged)
