"""Final transactions that a deeper re-org took back: sent again, and followed to their end again.

No finality is absolute where a number of confirmations stands for it. What was final has its
block's hash in its row; while the newest one's block is canonical, so are all before it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.settlement.canonical import find_mined, is_taken
from orchestration.settlement.clock import Checkpoint, Clock, Patience
from orchestration.settlement.node import Head, Node
from orchestration.settlement.rows import Stored, Transactions
from orchestration.settlement.stops import StopError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restorer:
    """Makes what the database has as final be final on the chain again."""

    node: Node
    rows: Transactions
    final_block: Callable[[Head], int]
    patience: Patience
    clock: Clock
    checkpoint: Checkpoint

    def restore(self) -> bool:
        """Ends where every finalized row stands where it says; whether one did not.

        A nonce that somebody else took meanwhile is `lost`: what its call did is for the caller
        to read from the chain.

        Raises:
            StopError: `stale_node`; `nonce_free`; `transaction_stuck`: they are not mined, or not
                final yet.
        """
        restored, behind = False, 0
        for _ in range(self.patience.looks_max):
            head, newest = self.node.block("latest"), self.rows.newest_finalized()
            if newest is None:
                return restored
            if head.number < (newest.block or 0):
                behind += 1
            elif taken_back := self._taken_back(newest):
                restored, behind = True, 0
                self._look(taken_back, head)
            else:
                return restored
            if behind > self.patience.stale_looks_max:
                raise StopError("stale_node", value=head.number)
            self.clock.sleep(self.patience.poll_s)
        raise StopError("transaction_stuck", "A re-org took back what was final.")

    def _taken_back(self, newest: Stored) -> list[Stored]:
        """The finalized rows whose blocks are gone, in order of their nonces."""
        found: list[Stored] = []
        row: Stored | None = newest
        while row and self.node.block(row.block or 0).hash != row.block_hash:
            found.append(row)
            row = self.rows.newest_finalized(below=row.nonce)
        return found[::-1]

    def _look(self, taken_back: Sequence[Stored], head: Head) -> None:
        """Sends what the chain lacks, and ends what is final, each after those before it."""
        mined = self.node.nonce(self.rows.sender, "latest")
        missing = [row for row in taken_back if row.nonce >= mined]
        for row in missing:
            self._send(row)
        if missing and missing[0].nonce > mined == self.node.nonce(self.rows.sender, "pending"):
            raise StopError("nonce_free", value=f"nonce {mined}")
        for row in taken_back:
            if not self._end(row, head):
                return

    def _send(self, row: Stored) -> None:
        """The dearest of the stored offers: it is the likeliest to be mined now."""
        dearest = self.rows.decided(row.nonce)[0]
        self.checkpoint("before send")
        said, words = self.node.send(dearest.signed)
        self.checkpoint("after send")
        fields = {"purpose": row.purpose, "nonce": row.nonce, "said": said.value, "words": words}
        logger.warning({"msg": "a final transaction was taken back, sent again"} | fields)

    def _end(self, row: Stored, head: Head) -> bool:
        """Whether the nonce is decided again."""
        bumps, final = self.rows.decided(row.nonce), self.final_block(head)
        mined = find_mined(self.node, bumps)
        if mined and mined[1].block <= final:
            self.checkpoint("before finalized again")
            self.rows.finalize_again(row, *mined)
            self.checkpoint("after finalized again")
            return True
        if mined or not is_taken(self.node, self.rows.sender, bumps, final):
            return False
        self.checkpoint("before lost")
        self.rows.move(row, "lost")
        self.checkpoint("after lost")
        logger.warning({"msg": "a final nonce was taken by another", "nonce": row.nonce})
        return True
