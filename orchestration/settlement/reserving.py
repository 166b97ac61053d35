"""What is signed: checked, offered, signed and stored in one database transaction, never sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestration.chain.errors import RevertedError
from orchestration.settlement.clock import Checkpoint
from orchestration.settlement.fees import (
    FeePolicy,
    Fees,
    bump,
    first_offer,
    first_tip_wei,
    market_fees,
)
from orchestration.settlement.node import Head, Node
from orchestration.settlement.rows import Stored, Transactions
from orchestration.settlement.signer import Signer
from orchestration.settlement.stops import StopError

GAS_MARGIN_PERCENT: Final = 20


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract: `data` is the ABI-encoded call, 0x and hex."""

    to: str
    data: str


@dataclass(frozen=True)
class Reserver:
    """Signs calls and replacements for one address, and stores them before anybody sends them."""

    node: Node
    rows: Transactions
    signer: Signer
    check: Callable[[], None]
    policy: FeePolicy
    checkpoint: Checkpoint

    def reserve(self, purpose: str, nonce: int, call: Call, head: Head) -> None:
        """Stores the first offer of a nonce.

        Raises:
            StopError: `call_refused`, `fees_above_ceiling`, `balance_too_low`, `signer_refused`.
        """
        gas_limit = self._gas_limit(call)
        fees = first_offer(head.base_fee_wei, self._tip_wei(), self.policy)
        self._check_balance(gas_limit * fees.max_fee_wei)
        self._store(purpose, nonce, 0, call, gas_limit, fees, head)

    def bump(self, row: Stored, head: Head) -> None:
        """The same call with the same nonce for more; no ceiling: a nonce in use is rescued.

        Raises:
            StopError: `transaction_stuck`, `balance_too_low`, or of the check.
        """
        if row.bump >= self.policy.bumps_max:
            raise StopError("transaction_stuck", f"{row.bump} bumps.", value=f"nonce {row.nonce}")
        self.check()
        fees = bump(row.fees, market_fees(head.base_fee_wei, self._tip_wei()))
        call = read_call(row.signed)
        self._check_balance(row.gas_limit * fees.max_fee_wei)
        self._store(row.purpose, row.nonce, row.bump + 1, call, row.gas_limit, fees, head)

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
            _transaction(call)
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


def _transaction(call: Call) -> dict[str, Any]:
    from eth_utils.address import to_checksum_address

    return {"to": to_checksum_address(call.to), "data": call.data, "value": 0}


def read_call(signed: bytes) -> Call:
    """The call that signed bytes make."""
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    decoded = TypedTransaction.from_bytes(HexBytes(signed)).as_dict()
    return Call("0x" + bytes(decoded["to"]).hex(), "0x" + bytes(decoded["data"]).hex())
