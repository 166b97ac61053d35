"""A settler who cheats: false roots, dust to drop them by, and other roots in their place.

The machine's watcher disputes every false root within its delay, unless it is gone before.
"""

from typing import Any

import boa
from book import Book
from disputing import DISPUTER
from hypothesis import strategies as st
from ledger import Bonds, Ledger, Posted
from world import ACTIVATION_DELAY_S, DISPUTE, GRACE_BLOCKS, World, address_of, block

DUST = 3


class Adversary:
    """Moves of the settler; the machine that they belong to keeps the model."""

    world: World
    ledger: Ledger
    bonds: Bonds
    cuts: dict[int, int]
    active: list[Posted]
    pending: Posted | None
    attempt: int
    pinned_min: int
    moles: int = 0

    def escape(self: Any, data: st.DataObject) -> None:
        """Withdraws dust from under his false root after it was disputed."""
        mole = self.plant(data)
        if self.post_false(data):
            self.dispute(data)
            assert self.bonds.is_open
            self.withdraw_of(mole)
            if data.draw(st.booleans(), label="decided"):
                self.resolve(data)

    def replace_root(self: Any, data: st.DataObject) -> None:
        """Sees the watcher's dispute come, and has a right root in the false one's place."""
        mole = self.plant(data)
        if not self.post_false(data):
            return
        signed = self.world.name()
        self.withdraw_of(mole)
        self.post(data)
        if self.world.name() == signed:
            self.dispute(data)
            return
        self.tried(True, "dispute", *signed, sender=DISPUTER)
        self.dispute(data)
        self.tried(True, "resolveDispute", *signed, True, sender=self.world.arbiter)

    def plant(self: Any, data: st.DataObject) -> str:
        """An account of his own, frozen, with a little left and its grace over, if he can."""
        self.moles += 1
        mole = address_of(f"mole {self.moles}")
        self.world.hand(mole, DUST)
        if self.tried(self.paused(1), "depositFor", mole, DUST, sender=mole):
            self.ledger.deposit(mole, DUST)
            self.world.contract.freeze(sender=mole)
            self.ledger.frozen[mole] = block()
            self.history.keep(block(), self.ledger)
        boa.env.time_travel(blocks=GRACE_BLOCKS)
        for _ in range(2):
            self.settle(data)
        boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
        self.activate(data)
        return mole

    def post_false(self: Any, data: st.DataObject) -> bool:
        """Posts a root that charges all credit there is, for friends; not where nobody can
        dispute it."""
        self.commit(data)
        poor = any(units < self.bonds.now for units in self.bonds.held.values())
        last, first = len(self.cuts) - 1, self.active[-1].last + 1
        if self.pending or poor or self.paused(2) or self.paused(DISPUTE) or last < first:
            return False
        boa.env.time_travel(blocks=1)
        before, credit = self.active[-1].book, self.ledger.credit
        taken = credit - sum(before.charged.values())
        book = Book(before.earned | {DISPUTER: taken}, before.charged | {DISPUTER: taken})
        pinned = block() - 1
        self.world.post(book, attempt=self.attempt + 1, pinned=pinned)
        self.pending = Posted(book, before.root, first, last, pinned, is_false=True)
        self.attempt += 1
        return True
