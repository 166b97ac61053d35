"""Answers: read back as written, and always as the schema describes them."""

import json

import pytest
from jsonschema import Draft202012Validator

from distributary.answers import Answer, Status, read_answer
from distributary.errors import InputError
from distributary.events import ANSWER_TYPE
from distributary.schemas import load_schema
from tests.signed_answers import Customer

VALIDATOR = Draft202012Validator(load_schema(ANSWER_TYPE))
EXECUTED = Customer().answer(1)
REFUSED = Customer().refused(2)._replace(sentence="It had expired.")


@pytest.mark.parametrize(
    "answer",
    [
        EXECUTED,
        EXECUTED._replace(status=Status.REPLAYED),
        EXECUTED._replace(text="", passages=[]),
        EXECUTED._replace(text="\x00\u2028\U0001f600 </script>"),
        REFUSED,
        REFUSED._replace(max_charge_units=None, expires_at=None),
        REFUSED._replace(max_charge_units=[{}, 1.5], retry_after_ms=0),
    ],
)
def test_payload__any_answer__is_read_back_equal_and_fits_the_schema(answer: Answer) -> None:
    payload = answer.payload()
    assert read_answer(payload) == answer
    VALIDATOR.validate(json.loads(payload))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "done"},
        {"status": None},
        {"status": ["executed"]},
        {"surprise": 1},
        {"node_receipt": "x"},
    ],
)
def test_read_answer__not_of_this_version__is_refused(change: dict[str, object]) -> None:
    payload = json.loads(EXECUTED.payload()) | change
    with pytest.raises(InputError) as refused:
        read_answer(json.dumps(payload).encode())
    assert refused.value.code == "bad_answer"


@pytest.mark.parametrize("missing", ["request_hash", "partition", "signature", "status"])
def test_read_answer__a_required_field_is_missing__is_refused(missing: str) -> None:
    payload = json.loads(EXECUTED.payload())
    del payload[missing]
    with pytest.raises(InputError) as refused:
        read_answer(json.dumps(payload).encode())
    assert refused.value.code == "bad_answer"


@pytest.mark.parametrize("payload", [b"[]", b"null", b"1"])
def test_read_answer__not_an_object__is_refused(payload: bytes) -> None:
    with pytest.raises(InputError):
        read_answer(payload)


def test_answer__its_coordinates_and_identity__are_the_requests() -> None:
    assert str(EXECUTED.coordinates) == f"{EXECUTED.topic_id}/0/1"
    assert EXECUTED.identity == (EXECUTED.account, "test", "1")
