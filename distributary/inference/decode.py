"""From a record's bytes to a verified request or a dead letter."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from distributary.accounts import AccountState
from distributary.canonical import sha256_hex
from distributary.errors import InputError
from distributary.events import REQUEST_TYPE, read_event
from distributary.identity import Domain
from distributary.inference.records import Dead, Record, Verified
from distributary.requests import read_request, verify_signature

# Of an oversize record this much is kept, with its length and hash: enough to tell what it was.
OVERSIZE_KEPT_BYTES = 256
DEAD_HEADERS_MAX = 32
HEADER_CHARACTERS_MAX = 64
SENTENCE_CHARACTERS_MAX = 300


@dataclass(frozen=True)
class Decoder:
    """Decodes records of one domain.

    Attributes:
        domain: chain and contract that requests must be signed for.
        request_bytes_max: limit on the value.
    """

    domain: Domain
    request_bytes_max: int

    def decode(self, record: Record, accounts: Mapping[str, AccountState]) -> Verified | Dead:
        """Reads and verifies one record; never raises for what a producer sent."""
        if len(record.value) > self.request_bytes_max:
            return Dead(record, "oversize", _oversize(record.value, self.request_bytes_max))
        try:
            event = read_event(record.headers)
            if event.type != REQUEST_TYPE:
                raise InputError("Not a request event.", value=event.type, code="not_a_request")
            request = read_request(record.value, event.source, event.id, self.domain)
        except InputError as error:
            return Dead(record, error.code, str(error))
        return _verify(Verified(record, request, event.traceparent), accounts)


def _oversize(value: bytes, limit: int) -> str:
    return f"{len(value)} bytes are over the limit of {limit}; sha256 {sha256_hex(value)}."


def _verify(verified: Verified, accounts: Mapping[str, AccountState]) -> Verified | Dead:
    request = verified.request
    account = accounts.get(request.purchase.identity.account)
    if account is None:
        return Dead(verified.record, "unknown_account", "No such account.")
    if not account.may_sign(request.key, verified.record.admitted_at_ms // 1000):
        return Dead(
            verified.record,
            "unknown_key",
            "The account has not delegated this session key, or its delegation has ended.",
        )
    if not verify_signature(request.purchase.request_hash, request.key, request.signature):
        return Dead(verified.record, "bad_signature", "The signature is not of this request.")
    return verified


def dead_letter(dead: Dead, topic: str) -> bytes:
    """The payload of a dead letter: the record as it was, the reason and the coordinates.

    All that a producer chooses is cut, so that its dead letter always fits into the topic.
    """
    record = dead.record
    kept = record.value[:OVERSIZE_KEPT_BYTES] if dead.code == "oversize" else record.value
    return json.dumps(
        {
            "code": dead.code,
            "sentence": dead.sentence[:SENTENCE_CHARACTERS_MAX],
            "topic": topic,
            "topic_id": record.coordinates.topic_id,
            "partition": record.coordinates.partition,
            "offset": record.coordinates.offset,
            "admitted_at_ms": record.admitted_at_ms,
            "bytes": len(record.value),
            "sha256": sha256_hex(record.value),
            "value_base64": b64encode(kept).decode(),
            "headers_base64": [
                _header(*header) for header in (record.headers or [])[:DEAD_HEADERS_MAX]
            ],
        }
    ).encode()


def _header(name: str, data: bytes | None) -> tuple[str, str]:
    kept = (data or b"")[:OVERSIZE_KEPT_BYTES]
    return name[:HEADER_CHARACTERS_MAX], b64encode(kept).decode()
