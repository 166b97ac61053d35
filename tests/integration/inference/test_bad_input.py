"""Whatever a producer sends has a dead letter or an answer, and harms nobody else's request."""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from distributary.canonical import sha256_hex
from distributary.identity import Domain
from distributary.kafka import topic_ids
from distributary.requests import Request
from tests.counting import Books
from tests.integration.inference.conftest import BYTES_MAX, Installation
from tests.node_server import text_for
from tests.raw_kafka import produce
from tests.senders import (
    CREDIT_UNITS,
    DOMAIN,
    Customer,
    Headers,
    as_record,
    event_headers,
    public_hex,
    question,
    seeded_key,
)
from tests.unit.core.test_events import TRACEPARENT

BIG_LETTERS_MAX = 400_000


def answered(installation: Installation, books: Books, offset: int, partition: int = 0) -> bool:
    """Whether the request there was executed, its own text on it."""
    answer = books.answer(partition, offset)
    assert answer["status"] == "executed", answer
    topic = f"{installation.prefix}inference.requests"
    topic_id = topic_ids(installation.settings, [topic])[topic]
    return bool(answer["text"] == text_for(f"{topic_id}/{partition}/{offset}"))


def bad_records(request: Request) -> list[tuple[bytes | None, Headers | None, str]]:
    """(value, headers, code) of everything that nobody can be answered for."""
    value, headers = as_record(request)
    account, event_id = request.purchase.identity.account.encode(), request.purchase.identity.id
    stranger = Customer("a stranger").request(event_id)
    return [
        (None, headers, "not_json"),
        (None, None, "not_cloudevent"),
        (b"", headers, "not_json"),
        (b"garbage", headers, "not_json"),
        (b"\xff\xfe", headers, "not_utf8"),
        (value, None, "not_cloudevent"),
        (value, event_headers(event_id, ce_id=b"\xff"), "not_cloudevent"),
        (value, event_headers(event_id, ce_type=b"\xe2\x82\xac" * 100_000), "not_a_request"),
        (value[:-1] + b',"key":""}', headers, "duplicate_key"),
        (value.replace(b'"body":', b'"body":NaN,"x":'), headers, "not_json"),
        (value.replace(b'"body":', b'"body":1e999,"x":'), headers, "not_json"),
        (value.replace(b'"body":', b'"body":123456789012345678901,"x":'), headers, "not_canonical"),
        (
            value.replace(b'"body":', b'"x":"\\ud800","body":"\\ud800","y":'),
            headers,
            "not_canonical",
        ),
        (b"[" * 60_000, headers, "not_json"),
        (request._replace(signature="0" * 128).payload(), headers, "bad_signature"),
        (value.replace(b"What is", b"What was"), headers, "bad_signature"),
        (value, event_headers(event_id, "another source"), "bad_signature"),
        (*as_record(stranger), "unknown_account"),
        (value.replace(account, b"\xf3\xa0\x80\x81" * 16_000), headers, "bad_address"),
        (
            value,
            [*headers, *[("h" * 9_000, b"x" * 9_000)] * 40, ("ce_type", b"x")],
            "not_a_request",
        ),
    ]


def test_job__bad_records_between_good_ones__each_has_its_dead_letter_and_the_others_answers(
    serving: Installation,
) -> None:
    ask = serving.customer.request
    others = [
        (*as_record(ask("foreign", key=seeded_key("stranger"))), "unknown_key"),
        (*as_record(ask("chain", domain=Domain(1, DOMAIN.contract))), "bad_signature"),
    ]
    bad = [*bad_records(ask("bad")), *others]
    records: list[tuple[bytes | None, Headers | None]] = []
    for number, (value, headers, _code) in enumerate(bad):
        records += [(value, headers), as_record(ask(f"between-{number}"))]
    places = serving.sender.send(records)

    books = serving.books()

    assert [books.letter(p.partition, p.offset)["code"] for p in places[::2]] == [
        code for _value, _headers, code in bad
    ]
    for place, (value, _headers, _code) in zip(places[::2], bad, strict=True):
        letter = books.letter(place.partition, place.offset)
        assert b64decode(letter["value_base64"]) == (value or b"")
        assert letter["sha256"] == sha256_hex(value or b"")
        assert letter["topic"] == f"{serving.prefix}inference.requests"
        assert len(json.dumps(letter)) < BIG_LETTERS_MAX
    assert all(answered(serving, books, place.offset) for place in places[1::2])


def test_job__oversize_record__keeps_its_first_bytes_length_and_hash(serving: Installation) -> None:
    value = bytes(range(256)) * (BYTES_MAX // 256) + b"!"
    at_limit = serving.customer.request("limit", question("limit", prompt="x" * 4_000))
    bad, good = serving.sender.send([(value, event_headers("big")), as_record(at_limit)])

    books = serving.books()

    letter = books.letter(bad.partition, bad.offset)
    assert letter["code"] == "oversize"
    assert b64decode(letter["value_base64"]) == value[:256]
    assert (letter["bytes"], letter["sha256"]) == (BYTES_MAX + 1, sha256_hex(value))
    assert answered(serving, books, good.offset)


def test_job__header_name_that_is_not_utf8__is_a_dead_letter(serving: Installation) -> None:
    topic = f"{serving.prefix}inference.requests"
    value, _headers = as_record(serving.customer.request("raw"))
    bad = produce(serving.settings.kafka, topic, 0, value, [(b"\xff\xfe", b"1"), (b"ce_id", None)])
    (good,) = serving.sender.ask(serving.customer.request("after raw"))

    books = serving.books()

    assert books.letter(0, bad)["code"] == "not_cloudevent"
    assert answered(serving, books, good.offset)


def test_job__delegation_of_the_key_has_ended__is_a_dead_letter(serving: Installation) -> None:
    customer = Customer(f"{serving.prefix} expired")
    (delegation,) = customer.state().delegations
    serving.sender.publish(customer.state(delegations=(replace(delegation, expires_at=1_000),)))
    (place,) = serving.sender.ask(customer.request("1"))

    assert serving.books().letter(0, place.offset)["code"] == "unknown_key"


def test_job__a_new_account_and_a_new_key__are_known_as_soon_as_published(
    serving: Installation,
) -> None:
    customer = Customer(f"{serving.prefix} newcomer")
    serving.sender.publish(customer.state())
    (first,) = serving.sender.ask(customer.request("1"))
    another = replace(customer, key=seeded_key("another session"))
    both = customer.state().delegations + another.state().delegations
    serving.sender.publish(customer.state(version=2, delegations=both))
    (second,) = serving.sender.ask(another.request("2"))

    books = serving.books()

    assert public_hex(another.key) == books.answer(0, second.offset)["key"]
    assert answered(serving, books, first.offset)
    assert answered(serving, books, second.offset)


def refusals(installation: Installation) -> list[tuple[Request, str]]:
    """(request, code) of everything that is signed but unusable."""
    ask, numbers = installation.customer.request, iter(range(100))

    def bad(code: str, body: Any = None, **changes: Any) -> tuple[Request, str]:
        return ask(f"unusable-{next(numbers)}", body, **changes), code

    return [
        bad("bad_request", []),
        bad("bad_request", {"model": "simulated"}),
        bad("bad_request", question("x", surprise=1)),
        bad("bad_request", question("x", settings={"max_tokens": 10**9})),
        bad("bad_request", question("x", deadline_ms=-5)),
        bad("empty_prompt", question("x", prompt=" \n")),
        bad("unknown_model", question("x", model="gpt-0")),
        bad("unknown_adapter", question("x", adapter="lora")),
        bad("unknown_datanet", question("x", datanet="nowhere")),
        bad("prompt_too_long", question("x", prompt="word " * 9_000)),
        bad("expired", expires_at=1_000),
        bad("expires_too_late", expires_at=2**50),
        bad("bad_request", expires_at=None),
        bad("bad_request", expires_at="1e9"),
        bad("bad_request", max_charge_units="-5"),
        bad("bad_request", max_charge_units=5),
        bad("bad_request", max_charge_units="9" * 79),
        bad("bad_request", max_charge_units="1e18"),
        bad("bad_request", max_charge_units=None),
        bad("bad_request", max_charge_units=[["5"]] * 3_000),
        bad("above_maximum", max_charge_units="1"),
    ]


def test_job__signed_but_unusable__is_refused_with_code_and_sentence(serving: Installation) -> None:
    unusable = refusals(serving)
    good = serving.customer.request("usable")
    places = serving.sender.ask(*(request for request, _ in unusable), good)

    books = serving.books()

    for place, (request, code) in zip(places, unusable, strict=False):
        answer = books.answer(place.partition, place.offset)
        assert (answer["status"], answer["code"]) == ("refused", code)
        assert answer["sentence"]
        assert answer["request_hash"] == request.purchase.request_hash
        assert "charge_units" not in answer
    assert answered(serving, books, places[-1].offset)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"frozen": True}, "account_frozen"), ({"credit_units": 1}, "insufficient_credit")],
)
def test_job__account_may_not_spend__is_refused_until_it_may(
    serving: Installation, change: dict[str, Any], code: str
) -> None:
    customer = Customer(f"{serving.prefix} {code}")
    serving.sender.publish(customer.state(**change))
    request = customer.request("1")
    (first,) = serving.sender.ask(request)
    assert serving.books().answer(0, first.offset)["code"] == code

    fine = {"frozen": False, "credit_units": CREDIT_UNITS}
    serving.sender.publish(customer.state(version=2, **fine))
    stranger = serving.customer.request(f"after {code}", key=seeded_key("nobody"))
    serving.sender.ask(stranger)  # an unknown key makes the job read accounts.state to its end
    serving.books()
    (again,) = serving.sender.ask(request)

    assert answered(serving, serving.books(), again.offset)


def test_job__traceparent__is_carried_where_it_is_one_and_dropped_where_it_is_not(
    serving: Installation,
) -> None:
    ask = serving.customer.request
    sent = []
    for number, trace in enumerate([TRACEPARENT.encode(), b"x" * 900_000]):
        value, headers = as_record(ask(f"trace-{number}"))
        sent.append((value, [*headers, ("ce_traceparent", trace)]))
    kept, dropped = serving.sender.send(sent)

    books = serving.books()

    (seen,) = books.answers[(0, kept.offset)]
    assert seen.headers["ce_traceparent"] == TRACEPARENT.encode()
    (seen,) = books.answers[(0, dropped.offset)]
    assert "ce_traceparent" not in seen.headers
