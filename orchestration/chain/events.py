"""Logs of the contract as rows: decoded by its own ABI, integers as text, bytes as hex."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestration.chain.artifacts import Artifact

# The argument of each event that is somebody's address, and the one that is an amount.
ACCOUNTS: Final = {
    "Deposited": "account",
    "Withdrawn": "account",
    "FailSafeWithdrawn": "account",
    "Frozen": "account",
    "Claimed": "payee",
    "ClaimSkipped": "payee",
    "RecipientSet": "payee",
    "OwnerBound": "payee",
}
UNITS: Final = {
    "Deposited": "amount",
    "Withdrawn": "amount",
    "FailSafeWithdrawn": "amount",
    "Claimed": "amount",
}


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """One event of the contract.

    Attributes:
        block: number of its block.
        block_hash: of the block that it was read in.
        log_index: its place in the block.
        transaction_hash: of the transaction that made it.
        event: its name; that of the topic in hex where the ABI has none.
        account: whose it is, an address in lower case, or None.
        units: its amount in base units, or None.
        data: all arguments by name; integers as decimal text, bytes as 0x and hex.
    """

    block: int
    block_hash: bytes
    log_index: int
    transaction_hash: bytes
    event: str
    account: str | None
    units: int | None
    data: Mapping[str, Any]


def plain(value: Any) -> Any:
    """An argument as it is stored: no number of JSON holds 256 bits, and addresses are lower."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    text = str(value)
    return text.lower() if text.startswith("0x") else text


def decoder(artifact: Artifact) -> Callable[[Mapping[str, Any]], ChainEvent]:
    """A function that decodes raw logs, as `eth_getLogs` gives them."""
    from eth_utils.crypto import keccak

    known: dict[str, Mapping[str, Any]] = {}
    for each in artifact.abi:
        if each["type"] == "event":
            types = ",".join(argument["type"] for argument in each["inputs"])
            known["0x" + keccak(text=f"{each['name']}({types})").hex()] = each

    def decode(log: Mapping[str, Any]) -> ChainEvent:
        topic = str(log["topics"][0]).lower() if log["topics"] else ""
        abi = known.get(topic)
        name = topic if abi is None else str(abi["name"])
        given = {} if abi is None else _arguments(abi["inputs"], log)
        data = {key: plain(value) for key, value in given.items()}
        units = given.get(UNITS.get(name, ""))
        return ChainEvent(
            block=int(log["blockNumber"], 16),
            block_hash=bytes.fromhex(log["blockHash"][2:]),
            log_index=int(log["logIndex"], 16),
            transaction_hash=bytes.fromhex(log["transactionHash"][2:]),
            event=name,
            account=data.get(ACCOUNTS.get(name, "")),
            units=None if units is None else int(units),
            data=data,
        )

    return decode


def _arguments(inputs: Sequence[Mapping[str, Any]], log: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name: indexed ones from the topics, the others from the data."""
    from eth_abi.abi import decode

    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"][1:]]
    indexed = [each for each in inputs if each["indexed"]]
    given = {
        each["name"]: decode([each["type"]], topic)[0]
        for each, topic in zip(indexed, topics, strict=True)
    }
    others = [each for each in inputs if not each["indexed"]]
    data = bytes.fromhex(str(log["data"])[2:])
    values = decode([each["type"] for each in others], data)
    return given | dict(zip((each["name"] for each in others), values, strict=True))
