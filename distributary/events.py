"""CloudEvents 1.0 in Kafka's binary mode: attributes are `ce_` headers, the value is the payload.

The client and the publisher of accounts use the `cloudevents` package (`to_record`). The jobs read
and write headers themselves: the package takes 95 µs per record read and answered, more than all
else the inference job does for it. Tests hold the two equal.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from distributary.errors import InputError

REQUEST_TYPE = "ai.distributary.request.v1"
ANSWER_TYPE = "ai.distributary.answer.v1"
DEAD_TYPE = "ai.distributary.dead.v1"
ACCOUNT_TYPE = "ai.distributary.account.v1"
JSON = "application/json"
NAME_CHARACTERS_MAX = 256
# W3C Trace Context, version 00; another one starts a new trace, as the standard says.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Headers = list[tuple[str, bytes]]


class Event(NamedTuple):
    """The attributes that the jobs use; `traceparent` is "" where no valid one was sent."""

    id: str
    source: str
    type: str
    traceparent: str


def dataschema(event_type: str) -> str:
    """The URI reference of the payload's JSON Schema, a file of distributary/schemas/."""
    return f"urn:distributary:schema:{event_type.removeprefix('ai.distributary.')}"


def read_event(headers: Iterable[tuple[str, bytes]] | None) -> Event:
    """Reads the attributes from Kafka headers.

    Raises:
        InputError: `not_cloudevent`: an attribute is missing, too long, not UTF-8, or has control
            characters, which CloudEvents forbids and Postgres could not store: who sent a NUL
            would be answered and never charged.
    """
    given = dict(headers or ())
    try:
        event = Event(
            (given.get("ce_id") or b"").decode(),
            (given.get("ce_source") or b"").decode(),
            (given.get("ce_type") or b"").decode(),
            _traceparent((given.get("ce_traceparent") or b"").decode()),
        )
    except UnicodeDecodeError as error:
        raise InputError("A header is not UTF-8.", code="not_cloudevent") from error
    if given.get("ce_specversion") != b"1.0" or not (event.id and event.source and event.type):
        raise InputError("Not a CloudEvent 1.0 in binary mode.", code="not_cloudevent")
    if _CONTROL.search(event.id) or _CONTROL.search(event.source):
        raise InputError("ce_id and ce_source have no control characters.", code="not_cloudevent")
    if len(event.id) > NAME_CHARACTERS_MAX or len(event.source) > NAME_CHARACTERS_MAX:
        raise InputError(
            f"ce_id and ce_source have at most {NAME_CHARACTERS_MAX} characters.",
            code="not_cloudevent",
        )
    return event


def _traceparent(given: str) -> str:
    return given if given and _TRACEPARENT.fullmatch(given) else ""


def write_headers(event: Event, subject: str, at_ms: int) -> Headers:
    """The headers of a record that a job writes; `at_ms` is in Unix milliseconds."""
    headers = [
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_time", _time(at_ms)),
        ("ce_subject", subject.encode()),
        *_constant_headers(event.type),
    ]
    if event.traceparent:
        headers.append(("ce_traceparent", event.traceparent.encode()))
    return headers


@lru_cache(maxsize=64)
def _time(at_ms: int) -> bytes:
    at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()


@lru_cache(maxsize=16)
def _constant_headers(event_type: str) -> tuple[tuple[str, bytes], ...]:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", event_type.encode()),
        ("ce_dataschema", dataschema(event_type).encode()),
        ("content-type", JSON.encode()),
    )


def to_record(event: Event, subject: str, at: datetime, payload: bytes) -> tuple[Headers, bytes]:
    """Headers and value of a record, made by the `cloudevents` package."""
    from cloudevents.core.bindings.kafka import to_binary
    from cloudevents.core.formats.json import JSONFormat
    from cloudevents.core.v1.event import CloudEvent

    attributes = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "specversion": "1.0",
        "time": at,
        "subject": subject,
        "datacontenttype": JSON,
        "dataschema": dataschema(event.type),
    }
    if event.traceparent:
        attributes["traceparent"] = event.traceparent
    message = to_binary(CloudEvent(attributes=attributes, data=payload), JSONFormat())
    return list(message.headers.items()), message.value or b""
