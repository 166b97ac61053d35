"""What settlement does on the chain: each looks first, sends at most once, and reads back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orchestration.settlement import postings
from orchestration.settlement.clock import Checkpoint, no_checkpoint
from orchestration.settlement.contract import ChainState, SettlementContract
from orchestration.settlement.node import Node
from orchestration.settlement.postings import Database, EpochCommit, Posted
from orchestration.settlement.reserving import Call
from orchestration.settlement.stops import StopError
from orchestration.settlement.transactor import Outcome, Transactor

LOST_MAX: Final = 3


@dataclass
class Actions:
    """Commits epochs, posts and activates roots, binds owners."""

    connection: Database
    contract: SettlementContract
    transactor: Transactor
    node: Node
    checkpoint: Checkpoint = no_checkpoint

    def final_state(self) -> ChainState:
        """What the contract says at the highest final block."""
        return self.contract.state(self.transactor.final_block(self.node.block("latest")))

    def head_state(self) -> ChainState:
        """What the contract says at the head: enough to see what it lacks."""
        return self.contract.state(self.node.block("latest").number)

    def commit(self, epoch: EpochCommit) -> None:
        """Commits a closed epoch, reads it back, and says so.

        Raises:
            StopError: `posted_differs`, `transaction_reverted`, or of the transaction.
        """
        block = self.ensure_committed(epoch)
        self.checkpoint("before committed")
        postings.mark_committed(self.connection, epoch.epoch, block)
        self.checkpoint("after committed")

    def ensure_committed(self, epoch: EpochCommit) -> int:
        """Commits an epoch and reads it back; the final block that has it."""
        call = self.contract.commit(epoch.epoch, epoch.answers_hash, epoch.cut_block)
        self._ensure(
            f"commit:{epoch.epoch}", call, lambda: self.final_state().next_commit > epoch.epoch
        )
        block = self.final_state().block
        if self.contract.commit_of(epoch.epoch, block) != (epoch.answers_hash, epoch.cut_block):
            raise StopError("posted_differs", value=f"epoch {epoch.epoch}")
        return block

    def post(self, posting: Posted) -> None:
        """Posts a computed root, reads it back, and says so.

        Raises:
            StopError: as for `commit`.
        """
        block = self.ensure_posted(posting)
        self.checkpoint("before sent")
        postings.mark_sent(self.connection, posting, block)
        self.checkpoint("after sent")

    def ensure_posted(self, posting: Posted) -> int:
        """Posts a root and reads it back; the final block that has it."""
        self._ensure(
            posting.purpose,
            self.contract.post(posting),
            lambda: _holds(self.final_state(), posting),
        )
        state = self.final_state()
        # Gone again means dropped, which the next look at a sent posting finds.
        if state.pending and not _holds(state, posting):
            raise StopError("posted_differs", value=f"posting {posting.posting_id}")
        return state.block

    def activate(self, posting: Posted) -> None:
        """Makes the pending root active, unless somebody else did.

        Raises:
            StopError: as for `commit`.
        """
        self._ensure(
            f"activate:{posting.posting_id}",
            self.contract.activate(),
            lambda: self.final_state().has_active(posting),
        )

    def expire(self, posting: Posted) -> None:
        """Ends a dispute that the arbiter let lapse; refused before its deadline."""
        self._ensure(
            f"expire:{posting.posting_id}",
            self.contract.expire(),
            lambda: self.final_state().pending is None,
        )

    def bind(self, owner: str, payee: str) -> None:
        """Binds an owner on the chain.

        Raises:
            StopError: `posted_differs`: he is bound to another address there.
        """
        self._ensure(
            f"bind:{owner}", self.contract.bind(owner, payee), lambda: self._is_bound(owner)
        )
        if self.contract.payee_of(owner) != payee:
            raise StopError("posted_differs", value=f"owner {owner}")

    def _is_bound(self, owner: str) -> bool:
        return self.contract.payee_of(owner) is not None

    def _ensure(self, purpose: str, call: Call, is_done: Callable[[], bool]) -> None:
        """Sends a call until the chain shows what it does; a nonce may be lost a few times."""
        for _ in range(LOST_MAX):
            if is_done():
                return
            outcome = self.transactor.execute(purpose, call)
            if outcome is Outcome.SUCCEEDED:
                return
            if outcome is Outcome.REVERTED:
                raise StopError("transaction_reverted", value=purpose)
        raise StopError("transaction_stuck", "Its nonces go to others.", value=purpose)


def _holds(state: ChainState, posting: Posted) -> bool:
    """Whether the chain has a posting, pending with all that was sent, or active already."""
    if state.has_active(posting):
        return True
    return state.pending is not None and (
        state.pending.root,
        state.pending.from_epoch,
        state.pending.to_epoch,
        state.pending.attempt,
        state.pending.parent_root,
        state.pending.earned_total_units,
        state.pending.charged_total_units,
        state.pending.pinned_block,
    ) == (
        posting.root,
        posting.from_epoch,
        posting.to_epoch,
        posting.attempt,
        posting.parent_root,
        posting.earned_total_units,
        posting.charged_total_units,
        posting.pinned_block,
    )
