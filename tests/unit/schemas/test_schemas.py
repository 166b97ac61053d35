"""What the code writes is what the JSON Schemas describe."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator

from distributary import bodies, schemas
from distributary.accounts import AccountState, sign_delegation
from distributary.answers import Answer, Refusal, Status
from distributary.events import ACCOUNT_TYPE, ANSWER_TYPE, DEAD_TYPE, REQUEST_TYPE
from distributary.identity import Coordinates, Domain, Identity
from distributary.inference.decode import dead_letter
from distributary.inference.records import Dead, Record
from distributary.requests import Request, sign_request

DOMAIN = Domain(31337, "0x" + "0" * 40)
ACCOUNT = "0x" + "a" * 40
HASH = "b" * 64


def validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(schemas.load_schema(event_type))


def request(body: dict[str, Any]) -> Request:
    return sign_request(
        DOMAIN,
        Identity(ACCOUNT, "s", "1"),
        body,
        max_charge_units=10**18,
        expires_at=1_800_000_000,
        salt=b"s" * 16,
        key=Ed25519PrivateKey.from_private_bytes(b"k" * 32),
    )


def answer(**given: Any) -> dict[str, Any]:
    asked = request({"model": "m", "prompt": "Why?"})
    payload = Answer(
        topic_id="T",
        partition=0,
        offset=1,
        admitted_at_ms=1,
        account=ACCOUNT,
        source="s",
        id="1",
        request_hash=asked.purchase.request_hash,
        body_hash=asked.purchase.body_hash,
        max_charge_units="5",
        expires_at=9,
        key=asked.key,
        signature=asked.signature,
        **given,
    ).payload()
    parsed: dict[str, Any] = json.loads(payload)
    return parsed


EXECUTED = {
    "status": Status.EXECUTED,
    "model": "simulated",
    "model_version": "1",
    "node": "one",
    "prompt_tokens": 3,
    "answer_tokens": 2,
    "charge_units": "7",
    "price_hash": HASH,
    "split_hash": HASH,
    "datanet": "wiki",
    "manifest_hash": HASH,
    "passages": [HASH],
    "prompt": "Why?",
    "text": "",
}


@pytest.mark.parametrize("event_type", schemas.FILES)
def test_schema__each_file__is_a_valid_schema_of_the_stated_draft(event_type: str) -> None:
    schema = schemas.load_schema(event_type)

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False


def test_schema__files__are_all_in_the_list() -> None:
    assert {path.name for path in schemas.FOLDER.glob("*.json")} == set(schemas.FILES.values())


def test_request_schema__a_signed_request__is_valid() -> None:
    payload = request({"model": "m", "prompt": "Why?", "settings": {"max_tokens": 9}}).payload()

    validator(REQUEST_TYPE).validate(json.loads(payload))


@pytest.mark.parametrize(
    "change",
    [
        {"account": ACCOUNT.upper()},
        {"account": ACCOUNT + "\n"},
        {"max_charge_units": 5},
        {"max_charge_units": "05"},
        {"max_charge_units": "-1"},
        {"max_charge_units": "1" * 79},
        {"expires_at": -1},
        {"expires_at": 1.5},
        {"salt": "s" * 32},
        {"signature": "0" * 127},
        {"key": "0" * 65},
        {"extra": 1},
        {"body": {"model": "m"}},
    ],
)
def test_request_schema__a_changed_field__is_refused(change: dict[str, Any]) -> None:
    payload = json.loads(request({"model": "m", "prompt": "Why?"}).payload()) | change

    assert not validator(REQUEST_TYPE).is_valid(payload)


def test_request_schema__limits__are_those_of_the_code() -> None:
    body = schemas.load_schema(REQUEST_TYPE)["$defs"]["body"]["properties"]
    tokens = body["settings"]["properties"]["max_tokens"]
    roles = schemas.load_schema(REQUEST_TYPE)["$defs"]["message"]["properties"]["role"]["enum"]

    assert body["messages"]["maxItems"] == bodies.MESSAGES_MAX
    assert tokens["maximum"] == bodies.MAX_TOKENS_MAX
    assert tokens["default"] == bodies.MAX_TOKENS_DEFAULT
    assert body["deadline_ms"]["maximum"] == bodies.DEADLINE_MS_MAX
    assert roles == list(bodies.ROLES)


@pytest.mark.parametrize("name", ["priority", "region"])
def test_request_schema__a_reserved_field__is_named_and_refused(name: str) -> None:
    payload = json.loads(request({"model": "m", "prompt": "Why?", name: "x"}).payload())

    assert name in schemas.load_schema(REQUEST_TYPE)["$defs"]["body"]["properties"]
    assert not validator(REQUEST_TYPE).is_valid(payload)


@pytest.mark.parametrize(
    "given",
    [
        EXECUTED,
        EXECUTED | {"status": Status.REPLAYED, "datanet": None, "manifest_hash": None},
        {"status": Status.REFUSED, "code": "expired", "sentence": "It had expired."},
        {
            "status": Status.REFUSED,
            "code": "in_progress",
            "sentence": "Wait.",
            "retry_after_ms": 500,
        },
    ],
)
def test_answer_schema__an_answer_as_written__is_valid(given: dict[str, Any]) -> None:
    validator(ANSWER_TYPE).validate(answer(**given))


@pytest.mark.parametrize("code", Refusal)
def test_answer_schema__every_refusal_code__is_valid(code: Refusal) -> None:
    refused = answer(status=Status.REFUSED, code=str(code), sentence="No.")

    validator(ANSWER_TYPE).validate(refused)


@pytest.mark.parametrize("missing", ["text", "charge_units", "price_hash", "node", "request_hash"])
def test_answer_schema__an_executed_answer_without_a_stamp__is_refused(missing: str) -> None:
    executed = answer(**EXECUTED)
    del executed[missing]

    assert not validator(ANSWER_TYPE).is_valid(executed)


@pytest.mark.parametrize("name", ["node_receipt", "attempt_id"])
def test_answer_schema__a_reserved_field__is_named_and_not_written(name: str) -> None:
    assert name in schemas.load_schema(ANSWER_TYPE)["properties"]
    assert name not in answer(**EXECUTED)
    assert not validator(ANSWER_TYPE).is_valid(answer(**EXECUTED) | {name: "x"})


def test_answer_schema__fields__are_those_of_the_code_and_the_reserved_ones() -> None:
    properties = set(schemas.load_schema(ANSWER_TYPE)["properties"])

    assert properties == set(Answer._fields) | {"node_receipt", "attempt_id"}


@pytest.mark.parametrize("code", ["oversize", "not_utf8", "bad_signature"])
def test_dead_schema__a_dead_letter_as_written__is_valid(code: str) -> None:
    record = Record(Coordinates("T", 0, 5), 1, [("ce_id", b"\xff"), ("x", b"")], b"\xff" * 999)

    validator(DEAD_TYPE).validate(json.loads(dead_letter(Dead(record, code, "No."), "requests")))


@pytest.mark.parametrize("credit_units", [0, 10**18, -5])
def test_account_schema__a_state_as_written__is_valid(credit_units: int) -> None:
    delegation = sign_delegation(DOMAIN, "0x" + "1" * 64, "c" * 64, 1_900_000_000)
    state = AccountState(ACCOUNT, 1, credit_units, "grant", False, (delegation,), (0, 7))

    validator(ACCOUNT_TYPE).validate(json.loads(state.payload()))
