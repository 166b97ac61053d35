"""From bytes to a verified request or a dead letter that says why."""

import json
from base64 import b64decode
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from distributary.accounts import Delegation
from distributary.canonical import sha256_hex
from distributary.events import ANSWER_TYPE, DEAD_TYPE
from distributary.identity import Domain
from distributary.inference.decode import Decoder, dead_letter
from distributary.inference.records import Dead, Verified
from distributary.schemas import load_schema
from tests.senders import (
    DOMAIN,
    Customer,
    Headers,
    as_record,
    event_headers,
    public_hex,
    seeded_key,
)
from tests.unit.inference.records_at import ACCOUNTS, BYTES_MAX, DECODER, PAYER, ask, record

VALIDATOR = Draft202012Validator(load_schema(DEAD_TYPE))
GOOD = ask("1")
VALUE, HEADERS = as_record(GOOD)
TRACEPARENT = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
BROKEN = GOOD._replace(signature="0" * 128)


def dead(value: bytes, headers: Headers | None, accounts: Any = ACCOUNTS) -> dict[str, Any]:
    found = DECODER.decode(record(value, headers), accounts)
    assert isinstance(found, Dead), found
    letter: dict[str, Any] = json.loads(dead_letter(found, "inference.requests"))
    VALIDATOR.validate(letter)
    return letter


def test_decode__a_good_request__is_verified_with_its_traceparent() -> None:
    found = DECODER.decode(record(VALUE, [*HEADERS, ("ce_traceparent", TRACEPARENT)]), ACCOUNTS)
    assert isinstance(found, Verified)
    assert found.request == GOOD
    assert found.traceparent == TRACEPARENT.decode()


@pytest.mark.parametrize(
    ("value", "headers", "code"),
    [
        (b"", HEADERS, "not_json"),
        (b"garbage", HEADERS, "not_json"),
        (b"\xff", HEADERS, "not_utf8"),
        (VALUE[:-1] + b',"salt":"x"}', HEADERS, "duplicate_key"),
        (VALUE.replace(b'"prompt":', b'"n":NaN,"prompt":'), HEADERS, "not_json"),
        (VALUE.replace(b'"prompt":', b'"n":1e999,"prompt":'), HEADERS, "not_json"),
        (VALUE.replace(b'"prompt":', b'"n":9007199254740993,"p":'), HEADERS, "not_canonical"),
        (VALUE.replace(b'"prompt":"', b'"prompt":"\\ud800'), HEADERS, "not_canonical"),
        (VALUE.replace(b'"body":', b'"body":' + b"[" * 2_000), HEADERS, "not_json"),
        (VALUE, None, "not_cloudevent"),
        (VALUE, [], "not_cloudevent"),
        (VALUE, event_headers("1", ce_id=None), "not_cloudevent"),
        (VALUE, event_headers("1", ce_type=ANSWER_TYPE.encode()), "not_a_request"),
        (VALUE, event_headers("1", ce_type=b"x" * 9_999), "not_a_request"),
        (VALUE, event_headers("2"), "bad_signature"),
        (VALUE, event_headers("1", "other source"), "bad_signature"),
        (VALUE.replace(b"What is 1", b"What is 2"), HEADERS, "bad_signature"),
        (BROKEN.payload(), HEADERS, "bad_signature"),
        (ask("1", domain=Domain(1, DOMAIN.contract)).payload(), HEADERS, "bad_signature"),
        (ask("1", key=seeded_key("stranger")).payload(), HEADERS, "unknown_key"),
        (Customer("stranger").request("1").payload(), HEADERS, "unknown_account"),
        (VALUE.replace(PAYER.account.encode(), b"0x12"), HEADERS, "bad_address"),
        (b'{"body":1}', HEADERS, "bad_envelope"),
        (VALUE.replace(b'"signature"', b'"unsigned"'), HEADERS, "bad_envelope"),
    ],
)
def test_decode__nobody_can_be_answered__is_a_dead_letter_with_its_code(
    value: bytes, headers: Headers | None, code: str
) -> None:
    letter = dead(value, headers)
    assert letter["code"] == code
    assert b64decode(letter["value_base64"]) == value
    assert (letter["topic_id"], letter["partition"], letter["offset"]) == ("topic", 0, 7)


@pytest.mark.parametrize("ended_s", [0, 1_000])
def test_decode__delegation_has_ended__is_a_dead_letter(ended_s: int) -> None:
    admitted_at_s = record(b"", None).admitted_at_ms // 1000
    ended = (Delegation(public_hex(PAYER.key), admitted_at_s - ended_s, ""),)
    accounts = {PAYER.account: PAYER.state(delegations=ended)}
    assert dead(VALUE, HEADERS, accounts)["code"] == "unknown_key"


def test_decode__one_byte_over_the_limit__keeps_the_first_256_length_and_hash() -> None:
    value = bytes(range(256)) * (BYTES_MAX // 256) + b"!"
    letter = dead(value, HEADERS)
    assert letter["code"] == "oversize"
    assert b64decode(letter["value_base64"]) == value[:256]
    assert letter["bytes"] == BYTES_MAX + 1
    assert letter["sha256"] == sha256_hex(value)


def test_decode__exactly_at_the_limit__is_read() -> None:
    room = BYTES_MAX - len(ask("1", {"model": "simulated", "prompt": ""}).payload())
    request = ask("1", {"model": "simulated", "prompt": "x" * room})
    assert len(request.payload()) == BYTES_MAX
    assert isinstance(DECODER.decode(record(*as_record(request)), ACCOUNTS), Verified)


def test_dead_letter__all_that_a_producer_chooses_is_huge__still_fits_into_its_topic() -> None:
    decoder = Decoder(DOMAIN, 262_144)
    huge = "\U000e0001".encode() * 65_000  # its repr is almost three times as long
    value = VALUE.replace(PAYER.account.encode(), huge)
    headers = event_headers("1") + [("\U0001f600" * 100_000, b"x" * 100_000)] * 100
    found = decoder.decode(record(value, headers), ACCOUNTS)
    assert isinstance(found, Dead)
    assert found.code == "bad_address"
    letter = dead_letter(found, "inference.requests")
    assert len(letter) < 4 * 262_144 - 200_000
    VALIDATOR.validate(json.loads(letter))


def test_dead_letter__header_without_value__is_written_empty() -> None:
    letter = dead(b"x", [("none", None), ("some", b"1")])
    assert letter["headers_base64"] == [["none", ""], ["some", "MQ=="]]
