"""Our own reading and writing of CloudEvents, held equal to the `cloudevents` package."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from distributary.errors import InputError
from distributary.events import (
    ANSWER_TYPE,
    JSON,
    REQUEST_TYPE,
    Event,
    dataschema,
    read_event,
    to_record,
    write_headers,
)
from tests.senders import event_headers

AT = datetime(2026, 11, 23, 1, 2, 3, 0, UTC)
AT_S = 1_795_395_723
TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
EVENTS = [
    Event("1", "test", REQUEST_TYPE, ""),
    Event("é \U0001f600 %41", "urn:x:y", ANSWER_TYPE, TRACEPARENT),
]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("ms", [0, 7, 450, 999])
def test_write_headers__an_event__is_read_by_the_package_as_it_was(event: Event, ms: int) -> None:
    message = KafkaMessage(dict(write_headers(event, "subject", AT_S * 1000 + ms)), None, b"{}")

    read = from_binary(message, JSONFormat(), CloudEvent)

    assert (read.get_id(), read.get_source(), read.get_type()) == event[:3]
    assert read.get_specversion() == "1.0"
    assert read.get_subject() == "subject"
    assert read.get_time() == AT + timedelta(milliseconds=ms)
    assert read.get_datacontenttype() == JSON
    assert read.get_dataschema() == dataschema(event.type)
    assert (read.get_extension("traceparent") or "") == event.traceparent
    assert read.get_data() in (b"{}", {})


@pytest.mark.parametrize("event", EVENTS)
def test_to_record__made_by_the_package__is_read_by_us_as_it_was(event: Event) -> None:
    headers, value = to_record(event, "subject", AT, b'{"a":1}')

    assert read_event(headers) == event
    assert value == b'{"a":1}'


@pytest.mark.parametrize("event", EVENTS)
def test_write_headers__the_same_event__are_the_packages_headers(event: Event) -> None:
    theirs, _value = to_record(event, "subject", AT, b"{}")
    ours = write_headers(event, "subject", AT_S * 1000)

    assert {name for name, _ in ours} == {name for name, _ in theirs}
    different = {name for name, data in ours if dict(theirs)[name] != data}
    assert different <= {"ce_time"}  # both RFC 3339, to another precision


@pytest.mark.parametrize(
    "change",
    [
        {"ce_id": None},
        {"ce_source": None},
        {"ce_type": None},
        {"ce_id": b""},
        {"ce_specversion": None},
        {"ce_specversion": b"0.3"},
        {"ce_id": b"\xff"},
        {"ce_traceparent": b"\xff"},
        {"ce_id": b"x" * 257},
        {"ce_source": b"x" * 257},
    ],
)
def test_read_event__an_attribute_is_missing_or_wrong__is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        read_event(event_headers("1", **change))  # type: ignore[arg-type]
    assert refused.value.code == "not_cloudevent"


@pytest.mark.parametrize("headers", [None, [], [("ce_id", None)]])
def test_read_event__no_headers__is_refused(headers: Any) -> None:
    with pytest.raises(InputError) as refused:
        read_event(headers)
    assert refused.value.code == "not_cloudevent"


def test_read_event__names_of_256_characters__are_read() -> None:
    assert read_event(event_headers("é" * 256, "s" * 256)).id == "é" * 256  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (TRACEPARENT, TRACEPARENT),
        (TRACEPARENT + "-more", ""),
        (TRACEPARENT.upper(), ""),
        ("x" * 1_000_000, ""),
        ("", ""),
    ],
)
def test_read_event__a_traceparent__is_kept_only_where_it_is_one(sent: str, kept: str) -> None:
    headers = event_headers("1", ce_traceparent=sent.encode())
    assert read_event(headers).traceparent == kept  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ce_id", "ce_source"])
@pytest.mark.parametrize("character", ["\0", "\n", "\x7f", "\x85"])
def test_read_event__control_character_in_a_name__is_refused(name: str, character: str) -> None:
    headers = [
        (key, value + character.encode() if key == name else value)
        for key, value in write_headers(EVENTS[0], "subject", AT_S * 1000)
    ]
    with pytest.raises(InputError, match="control characters"):
        read_event(headers)
