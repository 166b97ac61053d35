"""Transactions of a user: one at a time, signed here, sent until they are mined or time is up.

Settlement has a machine of its own, which survives what a person at a terminal can look at.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from distributary.errors import InputError, UnavailableError
from orchestration.chain.client import Client, as_revert
from orchestration.chain.errors import NodeUnavailableError, RevertedError, RpcError

MINED_S_MAX: Final = 180.0
POLL_S: Final = 0.25
GAS_MARGIN: Final = 1.2  # storage may be colder in the block than when it was estimated
TIP_WEI_MIN: Final = 1_000_000_000
# The base fee rises by an eighth a block at most, so twice of it holds for five full blocks.
BASE_FEES: Final = 2
ALREADY: Final = ("already known", "already imported", "nonce too low")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction that succeeded.

    Attributes:
        transaction_hash: 0x and hex.
        block: number of its block.
        gas_used: gas.
        logs: as the node gives them.
    """

    transaction_hash: str
    block: int
    gas_used: int
    logs: list[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Sender:
    """Sends transactions of one address.

    Attributes:
        client: the node.
        chain_id: of the chain that is signed for.
        private_key: 0x and hex, never shown.
        sleep: waits so many seconds.
        clock: monotonic seconds.
        mined_s_max: how long to wait for a block.
    """

    client: Client
    chain_id: int
    private_key: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    mined_s_max: float = MINED_S_MAX

    @property
    def address(self) -> str:
        """The address that pays the gas, in lower case."""
        from eth_account import Account

        return str(Account.from_key(self.private_key).address).lower()

    def send(self, to: str, data: str, what: str) -> Receipt:
        """Signs, sends and waits until it is mined.

        Args:
            to: the contract called.
            data: of the call, 0x and hex.
            what: for messages, such as "the deposit".

        Raises:
            RevertedError: the contract refuses it, before or after it was sent.
            InputError: `no_gas`: the address cannot pay the gas.
            UnavailableError: `timed_out`: not mined in time, the hash is named.
        """
        from eth_account import Account

        signed = Account.sign_transaction(self._fill(to, data, what), self.private_key)
        raw, hash_ = "0x" + bytes(signed.raw_transaction).hex(), "0x" + bytes(signed.hash).hex()
        deadline = self.clock() + self.mined_s_max
        receipt = None
        while receipt is None:
            self._give(raw)
            receipt = self._await(hash_, min(deadline, self.clock() + self.mined_s_max / 6))
            if receipt is None and self.clock() >= deadline:
                raise UnavailableError(
                    f"The transaction of {what} is not mined yet: look for it later.",
                    value=hash_,
                    code="timed_out",
                )
        if int(receipt["status"], 16) != 1:
            raise RevertedError(what, "it was mined and failed; its gas is spent")
        return Receipt(
            hash_, int(receipt["blockNumber"], 16), int(receipt["gasUsed"], 16), receipt["logs"]
        )

    def _fill(self, to: str, data: str, what: str) -> dict[str, Any]:
        from eth_utils.address import to_checksum_address

        call = {"from": self.address, "to": to, "data": data}
        try:
            gas = int(self.client.read("eth_estimateGas", call), 16)
        except RpcError as error:
            if "insufficient funds" in error.said.lower():
                raise _no_gas(self.address) from error
            raise as_revert(error, what) from error
        head = self.client.read("eth_getBlockByNumber", "latest", False)
        tip = max(TIP_WEI_MIN, int(self.client.read("eth_maxPriorityFeePerGas"), 16))
        nonce = int(self.client.read("eth_getTransactionCount", self.address, "pending"), 16)
        return {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": nonce,
            "to": to_checksum_address(to),
            "data": data,
            "value": 0,
            "gas": int(gas * GAS_MARGIN),
            "maxPriorityFeePerGas": tip,
            "maxFeePerGas": BASE_FEES * int(head["baseFeePerGas"], 16) + tip,
        }

    def _give(self, raw: str) -> None:
        """Hands the bytes to the node; the same bytes may be given again."""
        try:
            self.client.ask("eth_sendRawTransaction", raw)
        except NodeUnavailableError:
            return  # it may have taken them: the receipt tells
        except RpcError as error:
            said = error.said.lower()
            if "insufficient funds" in said:
                raise _no_gas(self.address) from error
            if not any(words in said for words in ALREADY):
                raise

    def _await(self, hash_: str, until: float) -> Mapping[str, Any] | None:
        while True:
            found: Mapping[str, Any] | None = self.client.read("eth_getTransactionReceipt", hash_)
            if found is not None and found.get("blockNumber") is not None:
                return found
            if self.clock() >= until:
                return None
            self.sleep(POLL_S)


def _no_gas(address: str) -> InputError:
    return InputError(
        "The address has too little of the chain's own coin to pay the gas: send it some.",
        value=address,
        code="no_gas",
    )
