"""What names a request: its identity, its coordinates in Kafka, and the domain it is signed for."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from distributary.errors import InputError

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


def parse_address(text: str) -> str:
    """Returns an EVM address in lower case.

    Raises:
        InputError: not `0x` and 40 hex digits.
    """
    address = text.lower()
    if not _ADDRESS.fullmatch(address):
        raise InputError("An address is 0x and 40 hex digits.", value=text, code="bad_address")
    return address


class Identity(NamedTuple):
    """Identity of a request: the account and the CloudEvents (source, id) pair."""

    account: str
    source: str
    id: str


class Coordinates(NamedTuple):
    """Where a record stands in Kafka; the topic id survives a deleted and re-created topic name."""

    topic_id: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic_id}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class Domain:
    """The chain and contract that a signature is for; one signed for another domain is void."""

    chain_id: int
    contract: str


def partition_of(request_hash: str, partitions: int) -> int:
    """The partition of a request and of its answers: the request hash modulo `partitions`."""
    return int(request_hash, 16) % partitions
