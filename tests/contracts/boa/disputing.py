"""Disputes of the stateful test: who may, who pays, and what an arbiter's word does."""

from typing import Any

import boa
from hypothesis import strategies as st
from hypothesis.stateful import invariant
from ledger import Posted
from world import ARBITER_DEADLINE_S, BOND, DISPUTE, address_of, now_s

DISPUTER, RELAY = address_of("disputer"), address_of("relay")


class Disputes:
    """Moves of disputer and arbiter; the machine that they belong to keeps the model."""

    def dispute(self: Any, data: st.DataObject) -> None:
        posted = self.world.contract.pending()
        poor = self.bonds.held[DISPUTER] < self.bonds.now
        late = self.pending is None or now_s() >= posted.activeAt
        refused = late or self.bonds.is_open or posted.ruled or poor or self.paused(DISPUTE)
        if self.tried(refused, "dispute", *self.world.name(), sender=DISPUTER):
            self.bonds.dispute(DISPUTER)

    def resolve(self: Any, data: st.DataObject) -> None:
        """An arbiter who errs about right roots only."""
        is_false = self.pending is not None and self.pending.is_false
        upheld = is_false or data.draw(st.booleans(), label="upheld")
        arguments = ("resolveDispute", *self.world.name(), upheld)
        late = self.world.refuses(*arguments, sender=self.world.arbiter)
        if self.tried(late or not self.bonds.is_open, *arguments, sender=self.world.arbiter):
            parties = (DISPUTER, self.world.settler)[:: 1 if upheld else -1]
            self.bonds.decide(*parties, DISPUTER, upheld)
            if upheld:
                self.pending = None
            else:
                self.drop_if_broken()

    def expire(self: Any, data: st.DataObject) -> None:
        disputed = self.bonds.is_open
        if disputed and data.draw(st.booleans(), label="late"):
            boa.env.time_travel(seconds=ARBITER_DEADLINE_S)
        early = self.world.refuses("expireDispute", sender=RELAY)
        if self.tried(early or not disputed, "expireDispute", sender=RELAY):
            self.bonds.expire(DISPUTER)
            self.pending = None

    def drop_if_broken(self: Any) -> Posted | None:
        """What is pending goes when it became impossible, but never out of an open dispute."""
        pending, dropped = self.pending, None
        broken = pending and pending.is_broken(self.ledger.credit, self.pinned_min)
        if broken and not self.bonds.is_open:
            self.pending, dropped = None, pending
        assert len(self.world.logs("RootDropped")) == (dropped is not None)
        return dropped

    @invariant()
    def bonds_are_conserved(self: Any) -> None:
        """Settler and disputer may be one: together they never have more than before."""
        contract, bonds = self.world.contract, self.bonds
        assert {who: contract.bonds(who) for who in bonds.held} == bonds.held
        assert contract.bondNow() == bonds.now
        assert contract.bondsHeld() == bonds.total == 1_500 * BOND - bonds.sunk
        assert (int(contract.pending().disputer, 16) != 0) == bonds.is_open
