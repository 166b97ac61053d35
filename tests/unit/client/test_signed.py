"""Signing: what is fixed, what is checked, and what a signed request says when it is read again."""

import dataclasses
import json
from typing import Any

import pytest

from distributary.client.signed import Randomness, SignedRequest, Signer, read_signed, write_body
from distributary.errors import InputError
from distributary.events import REQUEST_TYPE, read_event
from distributary.identity import Domain
from distributary.keys import SessionKey, new_session_key
from distributary.requests import read_request, verify_signature

DOMAIN = Domain(31337, "0x" + "0" * 40)
ACCOUNT = "0x" + "a" * 40
KEY = new_session_key(ACCOUNT, 2_000)
FRESH = Randomness("id-1", b"s" * 16, bytes(range(24)))
BODY = {"model": "simulated", "prompt": "Why?"}


def sign(
    body: dict[str, Any] = BODY,
    *,
    key: SessionKey = KEY,
    now_s: float = 1_000.25,
    fresh: Randomness = FRESH,
    max_charge_units: int = 10**18,
) -> SignedRequest:
    return Signer(DOMAIN, key).sign(
        body, max_charge_units=max_charge_units, expires_at=1_900, now_s=now_s, fresh=fresh
    )


def test_sign__a_body__is_read_and_verified_by_the_job() -> None:
    signed = sign()
    headers, value = signed.record()
    event = read_event(headers)
    read = read_request(value, event.source, event.id, DOMAIN)

    assert event.type == REQUEST_TYPE
    assert event.id == "id-1"
    assert read.purchase.request_hash == signed.request_hash
    assert read.purchase.identity.account == ACCOUNT
    assert read.purchase.max_charge_units == "1000000000000000000"
    assert read.purchase.expires_at == 1_900
    assert read.body == BODY
    assert verify_signature(signed.request_hash, KEY.key, read.signature)


def test_record__taken_twice__is_the_same_bytes() -> None:
    signed = sign()

    assert signed.record() == signed.record()
    assert dict(signed.record()[0])["ce_time"] == b"1970-01-01T00:16:40.250000Z"


def test_sign__trace__is_a_w3c_trace_context() -> None:
    assert sign().traceparent == ("00-000102030405060708090a0b0c0d0e0f-1011121314151617-01")


@pytest.mark.parametrize(
    "fresh",
    [
        Randomness("id-2", FRESH.salt, FRESH.trace),
        Randomness("id-1", b"t" * 16, FRESH.trace),
    ],
)
def test_sign__another_id_or_salt__is_another_purchase(fresh: Randomness) -> None:
    assert sign(fresh=fresh).request_hash != sign().request_hash


def test_sign__an_expired_session_key__is_refused_before_sending() -> None:
    with pytest.raises(InputError, match="account authorize") as caught:
        sign(now_s=2_000.0)

    assert caught.value.code == "key_expired"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"body": {"model": "m", "prompt": " "}}, "empty_prompt"),
        ({"body": {"model": "m"}}, "bad_request"),
        ({"max_charge_units": -1}, "bad_input"),
        ({"fresh": Randomness("", b"s" * 16, b"t" * 24)}, "bad_input"),
        ({"fresh": Randomness("x" * 257, b"s" * 16, b"t" * 24)}, "bad_input"),
        ({"fresh": Randomness("x", b"s" * 15, b"t" * 24)}, "bad_input"),
    ],
)
def test_sign__what_would_be_refused__is_refused_before_sending(
    given: dict[str, Any], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        sign(**given)

    assert caught.value.code == code


def test_read_signed__a_line_as_written__is_the_same_request() -> None:
    signed = sign({"model": "m", "prompt": "Warum 🌊\u2028?"})

    assert read_signed(signed.to_line().encode(), DOMAIN) == signed
    assert "\n" not in signed.to_line()


def tampered(field: str, value: object) -> bytes:
    return json.dumps(vars(sign()) | {field: value}).encode()


@pytest.mark.parametrize(
    "line",
    [
        tampered("request_hash", "0" * 64),
        tampered("id", "id-2"),
        tampered("source", "urn:else"),
        tampered("payload", sign().payload.replace("Why?", "Who?")),
        tampered("payload", sign().payload.replace("1000000000000000000", "9000000000000000000")),
        tampered("payload", 5),
        tampered("at", "yesterday"),
        tampered("more", 1),
        b"[]",
        b"{}",
        b"null",
    ],
)
def test_read_signed__a_tampered_line__is_refused(line: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_signed(line, DOMAIN)

    assert caught.value.code == "bad_run_file"


@pytest.mark.parametrize("line", [b"{", b"\xff", b'{"a":1,"a":2}'])
def test_read_signed__what_is_no_json__is_refused(line: bytes) -> None:
    with pytest.raises(InputError):
        read_signed(line, DOMAIN)


def test_read_signed__of_another_domain__is_refused() -> None:
    with pytest.raises(InputError):
        read_signed(sign().to_line().encode(), Domain(1, DOMAIN.contract))


def test_write_body__what_is_not_given__is_left_out() -> None:
    assert write_body(model="m", prompt="Why?", max_tokens=5) == {
        "model": "m",
        "prompt": "Why?",
        "settings": {"max_tokens": 5},
    }


def test_write_body__both_prompt_and_messages__is_refused() -> None:
    with pytest.raises(InputError, match="either"):
        write_body(model="m", prompt="a", messages=[{"role": "user", "content": "a"}])


def test_session_key__its_representation__holds_no_secret() -> None:
    assert KEY.private_key not in repr(KEY)
    assert KEY.private_key not in repr(Signer(DOMAIN, KEY))
    assert dataclasses.asdict(KEY)["private_key"] == KEY.private_key
