"""The transaction machine: one nonce at a time, from reserved to finalized or lost.

reserved (nonce, signed bytes and hash in one database transaction) → broadcast → mined →
finalized | replaced | lost; and mined → broadcast on a re-org. Every step reads the rows and the
chain anew, does one thing, and may be repeated after a crash at any point.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from orchestration.chain.errors import RevertedError
from orchestration.settlement.clock import Checkpoint, Clock, SystemClock, no_checkpoint
from orchestration.settlement.fees import (
    FeePolicy,
    Fees,
    bump,
    first_offer,
    first_tip_wei,
    market_fees,
)
from orchestration.settlement.node import Head, Node, Receipt, Sending
from orchestration.settlement.rows import Stored, Transactions
from orchestration.settlement.signer import Signer
from orchestration.settlement.stops import StopError

logger = logging.getLogger(__name__)

GAS_MARGIN_PERCENT: Final = 20
STALE_LOOKS_MAX: Final = 5


class Outcome(Enum):
    """How a nonce ended."""

    SUCCEEDED = "succeeded"
    REVERTED = "reverted"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract: `data` is the ABI-encoded call, 0x and hex."""

    to: str
    data: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run waits.

    Attributes:
        confirmations: blocks on top that make a block final; 0: the node's `finalized` block.
        poll_s: seconds between two looks.
        looks_max: looks at one nonce before the run stops; the next run goes on from there.
    """

    confirmations: int = 0
    poll_s: float = 4.0
    looks_max: int = 900


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
        """Ends what an earlier run left in flight; None where it left nothing."""
        return self.drive() if self.rows.live() else None

    def reserve(self, purpose: str, call: Call) -> None:
        """Checks, signs and stores; nothing is sent.

        Raises:
            StopError: `wrong_chain`, `wrong_contract`, `stale_node`, `foreign_pending`,
                `call_refused`, `fees_above_ceiling`, `balance_too_low`.
        """
        self.check()
        head = self.node.block("latest")
        nonce = self._free_nonce(head)
        gas_limit = self._gas_limit(call)
        fees = first_offer(head.base_fee_wei, self._tip_wei(), self.policy)
        self._check_balance(gas_limit * fees.max_fee_wei)
        self._store(purpose, nonce, 0, call, gas_limit, fees, head)

    def drive(self) -> Outcome:
        """Goes on with the nonce in flight until it is decided."""
        stale = 0
        for _ in range(self.patience.looks_max):
            rows, head = self.rows.live(), self.node.block("latest")
            stale = stale + 1 if self._is_behind(rows, head) else 0
            if stale > STALE_LOOKS_MAX:
                raise StopError("stale_node", value=head.number)
            outcome = None if stale else self.step(rows, head)
            if outcome:
                return outcome
            self.clock.sleep(self.patience.poll_s)
        raise StopError("transaction_stuck", value=f"nonce {self.rows.live()[0].nonce}")

    def step(self, rows: list[Stored], head: Head) -> Outcome | None:
        """One look at the nonce in flight, and the one thing that follows from it."""
        found = self._find_mined(rows)
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

    def _find_mined(self, rows: list[Stored]) -> tuple[Stored, Receipt] | None:
        """The row that the canonical chain holds, if any: any bump may have won."""
        for row in rows:
            receipt = self.node.receipt(row.hash)
            if receipt and self.node.block(receipt.block).hash == receipt.block_hash:
                return row, receipt
        return None

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
        if self.node.nonce(self.rows.sender, final) <= nonce:
            return None
        if any(self.node.receipt(row.hash) for row in self.rows.live()):
            return None
        self.checkpoint("before lost")
        self.rows.lose()
        self.checkpoint("after lost")
        logger.warning({"msg": "nonce taken by a foreign transaction", "nonce": nonce})
        return Outcome.LOST

    def final_block(self, head: Head) -> int:
        """The highest block that counts as final."""
        if self.patience.confirmations:
            return max(head.number - self.patience.confirmations, 0)
        return self.node.block("finalized").number

    # - What is pending -

    def _keep_alive(self, rows: list[Stored], head: Head) -> None:
        """Sends the stored bytes again after any doubt, or offers more."""
        newest = rows[0]
        if newest.state == "reserved" or not any(self.node.knows(row.hash) for row in rows):
            self._send(newest, head)
        elif head.number - newest.seen_block >= self.policy.bump_after_blocks:
            self._bump(rows[0], head)

    def _send(self, row: Stored, head: Head) -> None:
        self.checkpoint("before send")
        said, words = self.node.send(row.signed)
        self.checkpoint("after send")
        self._log("transaction sent", row, said=said.value, words=words)
        if said is Sending.FUNDS:
            raise StopError("balance_too_low", f"Send it to {self.rows.sender}.")
        if said in (Sending.REPLACEMENT_TOO_LOW, Sending.FEE_TOO_LOW):
            self._bump(row, head)
        elif row.state == "reserved" and said in (Sending.ACCEPTED, Sending.KNOWN):
            self._move(row, "broadcast", "broadcast")

    def _bump(self, row: Stored, head: Head) -> None:
        """The same call with the same nonce for more; no ceiling: a nonce in use is rescued."""
        if row.bump >= self.policy.bumps_max:
            raise StopError("transaction_stuck", f"{row.bump} bumps.", value=f"nonce {row.nonce}")
        self.check()
        fees = bump(row.fees, market_fees(head.base_fee_wei, self._tip_wei()))
        call = read_call(row.signed)
        self._check_balance(row.gas_limit * fees.max_fee_wei)
        self._store(row.purpose, row.nonce, row.bump + 1, call, row.gas_limit, fees, head)

    # - What is signed -

    def _store(
        self,
        purpose: str,
        nonce: int,
        bump_: int,
        call: Call,
        gas_limit: int,
        fees: Fees,
        head: Head,
    ) -> None:
        signed = self.signer.sign(
            self._transaction(call)
            | {
                "type": 2,
                "chainId": self.rows.chain_id,
                "nonce": nonce,
                "gas": gas_limit,
                "maxFeePerGas": fees.max_fee_wei,
                "maxPriorityFeePerGas": fees.tip_wei,
            }
        )
        self.checkpoint("before reserved")
        self.rows.reserve(purpose, nonce, bump_, signed, fees, gas_limit, head.number)
        self.checkpoint("after reserved")

    def _transaction(self, call: Call) -> dict[str, Any]:
        from eth_utils.address import to_checksum_address

        return {"to": to_checksum_address(call.to), "data": call.data, "value": 0}

    def _free_nonce(self, head: Head) -> int:
        """The next nonce, agreed on by database, chain and pool.

        Raises:
            StopError: `stale_node`, `foreign_pending`.
        """
        mined = self._catch_up()
        if head.number < self.rows.seen_block():
            raise StopError("stale_node", value=head.number)
        if self.node.nonce(self.rows.sender, "pending") > mined:
            raise StopError("foreign_pending", value=f"nonce {mined}")
        return mined

    def _catch_up(self) -> int:
        """The chain's nonce, once it is that of the database.

        A re-org deeper than what counts as final takes back transactions that were done with:
        their stored bytes are valid again, and are sent again.

        Raises:
            StopError: `stale_node`.
        """
        for _ in range(STALE_LOOKS_MAX):
            mined = self.node.nonce(self.rows.sender, "latest")
            missing = self.rows.finalized_from(mined)
            if not missing:
                return mined
            for row in missing:
                said, words = self.node.send(row.signed)
                self._log("finalized transaction sent again", row, said=said.value, words=words)
            self.clock.sleep(self.patience.poll_s)
        raise StopError("stale_node", value=f"nonce {mined}")

    def _gas_limit(self, call: Call) -> int:
        asked: Mapping[str, Any] = {"from": self.rows.sender, "to": call.to, "data": call.data}
        try:
            gas = self.node.estimate_gas(asked)
        except RevertedError as error:
            raise StopError("call_refused", value=error.reason) from None
        return gas + gas * GAS_MARGIN_PERCENT // 100

    def _check_balance(self, cost_wei: int) -> None:
        balance = self.node.balance_wei(self.rows.sender)
        if balance < cost_wei:
            raise StopError(
                "balance_too_low", f"{self.rows.sender} holds {balance} wei, {cost_wei} may go."
            )

    def _tip_wei(self) -> int:
        return first_tip_wei(self.node.tips_wei(), self.policy)

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


def read_call(signed: bytes) -> Call:
    """The call that signed bytes make."""
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    decoded = TypedTransaction.from_bytes(HexBytes(signed)).as_dict()
    return Call("0x" + bytes(decoded["to"]).hex(), "0x" + bytes(decoded["data"]).hex())
