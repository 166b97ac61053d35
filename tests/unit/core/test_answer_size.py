"""The largest answer to a request of any allowed size fits into the answers topic."""

from typing import Any

import pytest

from distributary.answers import Status
from distributary.events import ANSWER_TYPE, NAME_CHARACTERS_MAX, Event, write_headers
from distributary.identity import Coordinates, Identity
from distributary.inference.records import Record, Verified
from distributary.requests import Request, make_purchase
from distributary.settings import REQUEST_BYTES_LEAST, Settings
from distributary.topics import ANSWERS, topic_specs
from tests.senders import DOMAIN
from transforms.triton_node import TEXT_BYTES_MAX

NAME = "\U0001f600" * NAME_CHARACTERS_MAX  # the widest characters
ACCOUNT, HASH, TRACE = "0x" + "f" * 40, "f" * 64, "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
BATCH_BYTES_MAX = 128  # Kafka's own, around a record

sizes = pytest.mark.parametrize("size", [REQUEST_BYTES_LEAST, Settings().request_bytes_max])


def request_of(body: Any, expires_at: Any = 2**53 - 1) -> Request:
    purchase = make_purchase(
        DOMAIN, Identity(ACCOUNT, NAME, NAME), body, "f" * 32, "9" * 78, expires_at
    )
    return Request(purchase, body, "f" * 32, HASH, "f" * 128)


def verified(request: Request) -> Verified:
    record = Record(Coordinates("t" * 22, 1_023, 2**62), 2**53, [], b"")
    return Verified(record, request, TRACE)


def fits(payload: bytes, size: int) -> bool:
    """Whether value, key, headers and batch are what the topic takes, for requests of `size`."""
    event = Event("i" * 64, "s" * 64, ANSWER_TYPE, TRACE)
    headers = write_headers(event, ACCOUNT, 1_790_000_000_000)
    around = sum(len(name) + len(value) + 10 for name, value in headers) + len(HASH)
    specs = {spec.name: spec for spec in topic_specs(Settings(request_bytes_max=size))}
    limit = int(specs[ANSWERS].config["max.message.bytes"])
    return len(payload) + around + BATCH_BYTES_MAX <= limit


@sizes
def test_answer__longest_question_and_text_of_control_characters__fits(size: int) -> None:
    room = size - len(request_of({"model": "simulated", "prompt": ""}).payload())
    request = request_of({"model": "simulated", "prompt": "\0" * (room // 6)})
    assert size - 6 < len(request.payload()) <= size
    answer = verified(request).answer(
        Status.EXECUTED,
        **dict.fromkeys(("model", "model_version", "adapter", "agent", "datanet"), "n" * 63),
        **dict.fromkeys(("price_hash", "split_hash", "manifest_hash"), HASH),
        node="n" * 256,
        prompt_tokens=2**53,
        answer_tokens=2**53,
        charge_units="9" * 78,
        passages=[HASH],
        prompt=request.body["prompt"],
        text="\0" * TEXT_BYTES_MAX,
    )
    payload = answer.payload()
    assert len(payload) > size + 6 * TEXT_BYTES_MAX
    assert fits(payload, size)


@sizes
def test_answer__refusal_of_numbers_that_grow_when_written__fits(size: int) -> None:
    # Five bytes a number as a producer of bad will sends it, nineteen as it is written again.
    request = request_of({}, expires_at=[9e15] * (size // 5))
    payload = verified(request).refuse("bad_request", "s" * 300).payload()
    assert len(payload) > 3 * size
    assert fits(payload, size)
