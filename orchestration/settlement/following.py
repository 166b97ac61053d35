"""A posting from computed to its end: sent, waited for, activated, or rejected."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distributary.store.settlement_inputs import post_leaves
from orchestration.chain.errors import RevertedError
from orchestration.settlement import postings
from orchestration.settlement.actions import Actions
from orchestration.settlement.clock import Checkpoint, Clock
from orchestration.settlement.contract import ChainState, Pending
from orchestration.settlement.posting_files import is_whole, read_leaves
from orchestration.settlement.postings import Database, Posted
from orchestration.settlement.report import Report
from orchestration.settlement.standing import taken_back, uncommitted
from orchestration.settlement.stops import StopError

WAIT_POLL_S: Final = 1.0
# The contract will never take the posting as it is; its epochs can go in another attempt.
REFUSED_FOR_GOOD: Final = frozenset(
    (
        *("attempt used", "charged above credit", "charged total shrinks"),
        *("earned total shrinks", "not the next epoch", "parent is not active", "pin too early"),
    )
)


@dataclass(frozen=True)
class Follower:
    """Moves postings on by what the chain says of them.

    Attributes:
        connection: holds the settler's lock.
        lake: the lake folder.
        actions: what is done on the chain.
        report: of this run.
        wait_s_max: longest wait for an activation delay; longer ones end the run.
        clock: decides only when to look again.
        checkpoint: crash points of tests.
    """

    connection: Database
    lake: Path
    actions: Actions
    report: Report
    wait_s_max: int
    clock: Clock
    checkpoint: Checkpoint

    def advance(self, posting: Posted) -> None:
        """Moves a posting one state on, or says what it waits for."""
        if posting.state == "computed":
            self._send(posting)
        else:
            self._follow(posting, self.actions.final_state())

    def redo(self) -> None:
        """What a deep re-org took back for good is done again, as it was and in order.

        Sending the stored bytes again has come before; what they did may be another thing now:
        an activation in the block after its posting is too early.

        Raises:
            StopError: `activation_undone`, or of a transaction.
        """
        for epoch in uncommitted(self.connection, self.actions.head_state()):
            self.actions.ensure_committed(epoch)
            self.report.committed.append(epoch.epoch)
        while not self.report.waiting:
            state = self.actions.head_state()
            posting = taken_back(self.connection, state)
            if posting is None:
                return
            self._redo(posting, state.pending)

    def _redo(self, posting: Posted, pending: Pending | None) -> None:
        if pending is None:
            self._require_bond()
            try:
                self.actions.ensure_posted(posting)
            except StopError as stop:
                if stop.code != "call_refused" or stop.value not in REFUSED_FOR_GOOD:
                    raise
                raise StopError(
                    "activation_undone",
                    f"The contract says: {stop.value}.",
                    value=f"posting {posting.posting_id}",
                ) from stop
        elif pending.is_disputed:
            self._disputed(posting)
        else:
            self._await(posting, pending)

    def _send(self, posting: Posted) -> None:
        state = self.actions.final_state()
        is_there = state.pending is not None or state.has_active(posting)
        if not is_there and state.pinned_block_min > posting.pinned_block:
            return self._reject(posting, "pin_too_early")
        if not is_there and state.attempt_min > posting.attempt:
            return self._reject(posting, "attempt_used")
        if not is_there and not is_whole(self.lake, posting):
            return self._reject(posting, "inputs_damaged")
        if not is_there:
            self._require_bond()
        try:
            self.actions.post(posting)
        except StopError as stop:
            if stop.code == "call_refused" and stop.value in REFUSED_FOR_GOOD:
                self._reject(posting, str(stop.value))
            raise
        self.report.posted.append(posting.posting_id)
        return None

    def _require_bond(self) -> None:
        if missing := self.actions.contract.bond_missing_units():
            raise StopError(
                "bond_too_low", "Run `distributary settle --bond`.", value=f"{missing} units"
            )

    def _follow(self, posting: Posted, state: ChainState) -> None:
        """What became of a posting that was sent."""
        if state.has_active(posting):
            self._activated(posting, state.block)
        elif self.actions.transactor.restore():
            return  # It was taken back, not dropped: the next look finds it again.
        elif state.active_root != posting.parent_root:
            raise StopError("active_differs", value="0x" + state.active_root.hex())
        elif state.pending is None:
            self._reject(posting, "dropped")
        elif state.pending.is_disputed:
            self._disputed(posting)
        else:
            self._await(posting, state.pending)

    def _await(self, posting: Posted, pending: Pending) -> None:
        """Waits out the delay where that is short, then activates."""
        due = pending.active_at_s
        for _ in range(self.wait_s_max + 1):
            head = self.actions.node.block("latest")
            if head.at_s >= due:
                return self.actions.activate(posting)
            if due - head.at_s > self.wait_s_max:
                break
            self.clock.sleep(WAIT_POLL_S)
        self.report.waiting = {"for": "activation", "at_s": due}
        return None

    def _disputed(self, posting: Posted) -> None:
        """A dispute is the arbiter's; one that he let lapse may be ended by anybody."""
        try:
            self.actions.node.estimate_gas(
                {
                    "from": self.actions.contract.settler,
                    "to": self.actions.contract.contract.address,
                    "data": self.actions.contract.expire().data,
                }
            )
        except RevertedError:
            self.report.waiting = {"for": "arbiter", "posting": posting.posting_id}
            return
        self.actions.expire(posting)

    def _activated(self, posting: Posted, block: int) -> None:
        """Active on the chain: its leaves are copied with the move, in one transaction."""
        leaves = read_leaves(self.lake, posting)
        self.checkpoint("before active")
        with self.connection.transaction():
            postings.mark_active(self.connection, posting, block)
            post_leaves(self.connection, posting.posting_id, leaves)
        self.checkpoint("after active")
        self.report.active.append(posting.posting_id)

    def _reject(self, posting: Posted, reason: str) -> None:
        self.checkpoint("before rejected")
        postings.mark_rejected(self.connection, posting, reason)
        self.checkpoint("after rejected")
        self.report.rejected.append(posting.posting_id)
