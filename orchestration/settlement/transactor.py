"""The transaction machine: one nonce at a time, from reserved to finalized or lost.

reserved (nonce, signed bytes and hash in one database transaction) → broadcast → mined →
finalized | replaced | lost; and mined → broadcast on a re-org. Every step reads the rows and the
chain anew, does one thing, and may be repeated after a crash at any point.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from orchestration.settlement import canonical
from orchestration.settlement.clock import (
    Checkpoint,
    Clock,
    Patience,
    SystemClock,
    no_checkpoint,
)
from orchestration.settlement.fees import FeePolicy
from orchestration.settlement.node import Head, Node, Receipt, Sending
from orchestration.settlement.reorgs import Restorer
from orchestration.settlement.reserving import Call, Reserver
from orchestration.settlement.rows import Stored, Transactions
from orchestration.settlement.signer import Signer
from orchestration.settlement.stops import StopError

logger = logging.getLogger(__name__)


class Outcome(Enum):
    """How a nonce ended."""

    SUCCEEDED = "succeeded"
    REVERTED = "reverted"
    LOST = "lost"


@dataclass
class Transactor:
    """Sends calls for one address, each under a purpose that names it in the database."""

    node: Node
    rows: Transactions
    signer: Signer
    check: Callable[[], None]
    policy: FeePolicy = field(default_factory=FeePolicy)
    patience: Patience = field(default_factory=Patience)
    clock: Clock = field(default_factory=SystemClock)
    checkpoint: Checkpoint = no_checkpoint

    def execute(self, purpose: str, call: Call) -> Outcome:
        """Sends a call, and returns when its nonce is decided.

        Args:
            purpose: of the call; the one in flight is gone on with, if it is this one's.
            call: what to send, if nothing of this purpose is in flight.

        Raises:
            StopError: any of the named stops; the next run goes on from here.
        """
        live = self.rows.live()
        if live and live[0].purpose != purpose:
            raise StopError(
                "transaction_stuck", "Another nonce is in flight.", value=live[0].purpose
            )
        if not live:
            self.reserve(purpose, call)
        return self.drive()

    def recover(self) -> Outcome | None:
        """Ends what an earlier run left in flight; None where it left nothing.

        What was final comes first: a nonce in flight waits for those before it.
        """
        self.restore()
        return self.drive() if self.rows.live() else None

    def restore(self) -> bool:
        """Brings back what a deep re-org took; whether there was anything.

        Raises:
            StopError: `stale_node`, `transaction_stuck`.
        """
        return Restorer(
            *(self.node, self.rows, self.final_block, self.patience, self.clock, self.checkpoint)
        ).restore()

    def reserve(self, purpose: str, call: Call) -> None:
        """Checks, signs and stores; nothing is sent.

        Raises:
            StopError: `wrong_chain`, `wrong_contract`, `stale_node`, `foreign_pending`,
                `call_refused`, `fees_above_ceiling`, `balance_too_low`.
        """
        self.check()
        self.restore()
        head, nonce = self._agreed()
        self._reserver().reserve(purpose, nonce, call, head)

    def drive(self) -> Outcome:
        """Goes on with the nonce in flight until it is decided."""
        behind = 0
        for _ in range(self.patience.looks_max):
            rows, head = self.rows.live(), self.node.block("latest")
            if self._is_behind(rows, head):
                self.restore()
                behind += 1
            else:
                behind = 0
                if outcome := self.step(rows, head):
                    return outcome
            if behind > self.patience.stale_looks_max:
                raise StopError("stale_node", value=head.number)
            self.clock.sleep(self.patience.poll_s)
        raise StopError("transaction_stuck", value=f"nonce {self.rows.live()[0].nonce}")

    def step(self, rows: list[Stored], head: Head) -> Outcome | None:
        """One look at the nonce in flight, and the one thing that follows from it."""
        found = canonical.find_mined(self.node, rows)
        if found:
            return self._follow_mined(*found, head)
        undone = [row for row in rows if row.state == "mined"]
        if undone:
            self._move(undone[0], "broadcast", "reorg")
            return None
        nonce = rows[0].nonce
        if self.node.nonce(self.rows.sender, "latest") > nonce:
            return self._follow_foreign(nonce, head)
        self._keep_alive(rows, head)
        return None

    # - What was mined -

    def _follow_mined(self, row: Stored, receipt: Receipt, head: Head) -> Outcome | None:
        others = [each for each in self.rows.live() if each.state == "mined"]
        moved = [o for o in others if (o.hash, o.block_hash) != (row.hash, receipt.block_hash)]
        if moved:
            self._move(moved[0], "broadcast", "reorg")
        elif row.state == "reserved":
            self._move(row, "broadcast", "broadcast")
        elif row.state == "broadcast":
            self.checkpoint("before mined")
            self.rows.mine(row, receipt)
            self.checkpoint("after mined")
        elif receipt.block <= self.final_block(head):
            return self._finalize(row)
        return None

    def _finalize(self, row: Stored) -> Outcome:
        self.checkpoint("before finalized")
        self.rows.finalize(row)
        self.checkpoint("after finalized")
        outcome = Outcome.SUCCEEDED if row.succeeded else Outcome.REVERTED
        self._log("transaction finalized", row, outcome=outcome.value)
        return outcome

    def _follow_foreign(self, nonce: int, head: Head) -> Outcome | None:
        """The nonce is taken and not by us: lost once that is final, since a re-org may undo it."""
        final = self.final_block(head)
        if not canonical.is_taken(self.node, self.rows.sender, self.rows.live(), final):
            return None
        self.checkpoint("before lost")
        self.rows.lose()
        self.checkpoint("after lost")
        logger.warning({"msg": "nonce taken by a foreign transaction", "nonce": nonce})
        return Outcome.LOST

    def final_block(self, head: Head) -> int:
        """The highest block that counts as final."""
        return canonical.final_block(self.node, self.patience.confirmations, head)

    # - What is pending -

    def _keep_alive(self, rows: list[Stored], head: Head) -> None:
        """Sends the stored bytes again after any doubt, or offers more."""
        newest = rows[0]
        if newest.state == "reserved" or not any(self.node.knows(row.hash) for row in rows):
            self._send(newest, head)
        elif head.number - newest.seen_block >= self.policy.bump_after_blocks:
            self._reserver().bump(rows[0], head)

    def _send(self, row: Stored, head: Head) -> None:
        self.checkpoint("before send")
        said, words = self.node.send(row.signed)
        self.checkpoint("after send")
        self._log("transaction sent", row, said=said.value, words=words)
        if said is Sending.FUNDS:
            raise StopError("balance_too_low", f"Send it to {self.rows.sender}.")
        if said in (Sending.REPLACEMENT_TOO_LOW, Sending.FEE_TOO_LOW):
            self._reserver().bump(row, head)
        elif row.state == "reserved" and said in (Sending.ACCEPTED, Sending.KNOWN):
            self._move(row, "broadcast", "broadcast")

    def _reserver(self) -> Reserver:
        return Reserver(
            *(self.node, self.rows, self.signer, self.check, self.policy, self.checkpoint)
        )

    def _agreed(self) -> tuple[Head, int]:
        """The head and the next nonce, agreed on by database, chain and pool.

        Raises:
            StopError: `stale_node`, `foreign_pending`.
        """
        for _ in range(self.patience.stale_looks_max):
            head, newest = self.node.block("latest"), self.rows.newest_finalized()
            mined = self.node.nonce(self.rows.sender, "latest")
            if newest is None or (mined > newest.nonce and head.number >= (newest.block or 0)):
                if self.node.nonce(self.rows.sender, "pending") > mined:
                    raise StopError("foreign_pending", value=f"nonce {mined}")
                return head, mined
            self.clock.sleep(self.patience.poll_s)
        raise StopError("stale_node", value=f"nonce {mined}")

    def _is_behind(self, rows: list[Stored], head: Head) -> bool:
        """Whether the node has not seen yet what these rows prove."""
        seen = max(row.seen_block for row in rows)
        return head.number < seen or self.node.nonce(self.rows.sender, "latest") < rows[0].nonce

    def _move(self, row: Stored, state: str, name: str) -> None:
        self.checkpoint(f"before {name}")
        self.rows.move(row, state)
        self.checkpoint(f"after {name}")

    def _log(self, msg: str, row: Stored, **fields: Any) -> None:
        shown = {"purpose": row.purpose, "nonce": row.nonce, "bump": row.bump}
        logger.info({"msg": msg} | shown | {"hash": "0x" + row.hash.hex()} | fields)
