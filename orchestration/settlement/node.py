"""What settlement asks of a node: reads that may be repeated, and sends that are done once."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from orchestration.chain.client import Client, as_revert
from orchestration.chain.errors import NodeUnavailableError, RpcError
from orchestration.settlement.stops import StopError

# Lower case, of geth, erigon, nethermind, reth and anvil; the first that matches decides.
_ANSWERS: Final = (
    ("KNOWN", ("already known", "known transaction", "alreadyknown", "already imported")),
    ("REPLACEMENT_TOO_LOW", ("replacement", "could not replace", "replacementnotallowed")),
    ("NONCE_TOO_LOW", ("nonce too low", "nonce is too low", "oldnonce")),
    ("NONCE_TOO_HIGH", ("nonce too high", "nonce gap", "noncegap", "future nonce")),
    (
        "FEE_TOO_LOW",
        ("underpriced", "less than block base fee", "feetoolow", "fee cap", "gas price too low"),
    ),
    ("FUNDS", ("insufficient funds", "insufficientfunds")),
)


class Sending(Enum):
    """What a node said when it was given a transaction; only some of it is certain."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    REPLACEMENT_TOO_LOW = "replacement_too_low"
    NONCE_TOO_LOW = "nonce_too_low"
    NONCE_TOO_HIGH = "nonce_too_high"
    FEE_TOO_LOW = "fee_too_low"
    FUNDS = "funds"
    UNKNOWN = "unknown"


def read_refusal(message: str) -> Sending:
    """What a refusal in words means; `UNKNOWN` where no node that we know says so."""
    said = message.lower()
    for name, phrases in _ANSWERS:
        if any(phrase in said for phrase in phrases):
            return Sending[name]
    return Sending.UNKNOWN


@dataclass(frozen=True, slots=True)
class Head:
    """A block's number, hash, base fee and time (Unix seconds)."""

    number: int
    hash: bytes
    base_fee_wei: int
    at_s: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a transaction was mined, whether it succeeded, and what it cost."""

    block: int
    block_hash: bytes
    succeeded: bool
    cost_wei: int


@dataclass(frozen=True)
class Node:
    """One node, as settlement needs it."""

    client: Client

    def block(self, which: str | int) -> Head:
        """A block by number, or `latest` or `finalized`.

        Raises:
            StopError: `stale_node`: it has no such block.
        """
        found = self.client.read("eth_getBlockByNumber", _tag(which), False)
        if found is None:
            raise StopError("stale_node", value=which)
        return Head(
            _int(found["number"]),
            _bytes(found["hash"]),
            _int(found.get("baseFeePerGas", "0x0")),
            _int(found["timestamp"]),
        )

    def nonce(self, address: str, which: str | int) -> int:
        """How many transactions of `address` are in the chain up to a block, or in the pool."""
        return _int(self.client.read("eth_getTransactionCount", address, _tag(which)))

    def balance_wei(self, address: str) -> int:
        """The balance at the latest block."""
        return _int(self.client.read("eth_getBalance", address, "latest"))

    def tips_wei(self, blocks: int = 10) -> list[int]:
        """The median tip of each of the last blocks; empty blocks are left out."""
        history = self.client.read("eth_feeHistory", hex(blocks), "latest", [50])
        rewards = [_int(each[0]) for each in history.get("reward") or [] if each]
        return [wei for wei in rewards if wei]

    def receipt(self, hash_: bytes) -> Receipt | None:
        """The receipt of a transaction; None while it is not mined."""
        found = self.client.read("eth_getTransactionReceipt", "0x" + hash_.hex())
        if found is None or found.get("blockHash") is None:
            return None
        return Receipt(
            _int(found["blockNumber"]),
            _bytes(found["blockHash"]),
            _int(found["status"]) == 1,
            _int(found["gasUsed"]) * _int(found.get("effectiveGasPrice", "0x0")),
        )

    def knows(self, hash_: bytes) -> bool:
        """Whether the node has the transaction, mined or in its pool."""
        return self.client.read("eth_getTransactionByHash", "0x" + hash_.hex()) is not None

    def estimate_gas(self, transaction: Mapping[str, Any]) -> int:
        """Gas that the transaction would use now.

        Raises:
            RevertedError: the contract would refuse it.
        """
        try:
            return _int(self.client.read("eth_estimateGas", dict(transaction)))
        except RpcError as error:
            raise as_revert(error, "the call") from None

    def send(self, raw: bytes) -> tuple[Sending, str]:
        """Gives the node a signed transaction, once; says what came back, in a word and in words.

        A time-out may come after the node accepted it: that is `UNKNOWN`, never a failure.
        """
        try:
            self.client.ask("eth_sendRawTransaction", "0x" + raw.hex())
        except RpcError as error:
            return read_refusal(error.said), error.said
        except NodeUnavailableError as error:
            return Sending.UNKNOWN, str(error)
        return Sending.ACCEPTED, ""


def _tag(which: str | int) -> str:
    return hex(which) if isinstance(which, int) else which


def _int(value: str) -> int:
    return int(value, 16)


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value[2:])
