"""The bounded window, against a double of the exchange with knobs and a clock set by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from distributary.answers import Answer, Status
from distributary.client.bulk import ATTEMPTS_MAX, Outcome, send_many
from distributary.client.errors import RefusedError, TimedOutError
from distributary.client.exchange import Handle
from distributary.client.runs import result_of, summarise
from distributary.client.signed import SignedRequest
from distributary.errors import UnavailableError


def signed(number: int) -> SignedRequest:
    return SignedRequest(f"{number:064x}", "s", str(number), "1970-01-01T00:00:00Z", "", "{}")


def answer(request_hash: str, **given: Any) -> Answer:
    stamps: dict[str, Any] = {"status": Status.EXECUTED, "charge_units": "7", "answer_tokens": 2}
    return Answer(
        topic_id="T",
        partition=0,
        offset=0,
        admitted_at_ms=0,
        account="0x" + "a" * 40,
        source="s",
        id="1",
        request_hash=request_hash,
        body_hash="",
        max_charge_units="1",
        expires_at=1,
        key="",
        signature="",
        **(stamps | given),
    )


class ExchangeDouble:
    """Notes what is sent; `on_send` decides what becomes of it."""

    def __init__(self, on_send: Callable[[Handle, int], None]) -> None:
        self.on_send = on_send
        self.sent: list[SignedRequest] = []

    def submit(self, signed: SignedRequest) -> Handle:
        self.sent.append(signed)
        handle = Handle(signed)
        self.on_send(handle, sum(s == signed for s in self.sent))
        return handle


class ClockDouble:
    """Every look at it takes half a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def run(exchange: ExchangeDouble, count: int) -> list[Outcome]:
    requests = (signed(n) for n in range(count))
    clock = ClockDouble()
    return list(send_many(exchange, requests, timeout_s=20.0, window_max=10, clock=clock))


def test_send_many__all_answered__yields_one_outcome_each() -> None:
    exchange = ExchangeDouble(lambda handle, _: handle.settle(answer(handle.request_hash)))

    outcomes = run(exchange, 57)

    assert sorted(o.signed.id for o in outcomes) == sorted(str(n) for n in range(57))
    assert all(o.answer is not None and o.attempts == 1 for o in outcomes)


def test_send_many__outcomes_taken_one_by_one__never_has_more_under_way_than_the_window() -> None:
    taken, under_way_max = 0, 0

    def note(handle: Handle, _attempt: int) -> None:
        nonlocal under_way_max
        under_way_max = max(under_way_max, len(exchange.sent) - taken)
        handle.settle(answer(handle.request_hash))

    exchange = ExchangeDouble(note)
    requests = (signed(n) for n in range(40))
    for _ in send_many(exchange, requests, timeout_s=20.0, window_max=4, clock=ClockDouble()):
        taken += 1

    assert taken == 40
    assert under_way_max == 4


def test_send_many__told_when_to_try_again__sends_the_same_request_again() -> None:
    def later(handle: Handle, attempt: int) -> None:
        refusal: dict[str, Any] = {
            "status": Status.REFUSED,
            "code": "in_progress",
            "sentence": "Wait.",
            "retry_after_ms": 30,
        }
        handle.settle(answer(handle.request_hash, **(refusal if attempt < 3 else {})))

    exchange = ExchangeDouble(later)

    outcomes = run(exchange, 2)

    assert [o.attempts for o in outcomes] == [3, 3]
    assert all(o.answer is not None for o in outcomes)
    assert len(exchange.sent) == 6


def test_send_many__told_for_ever_to_try_again__gives_up_after_the_stated_attempts() -> None:
    refusal: dict[str, Any] = {
        "status": Status.REFUSED,
        "code": "in_progress",
        "sentence": "Wait.",
        "retry_after_ms": 1,
    }
    exchange = ExchangeDouble(lambda h, _: h.settle(answer(h.request_hash, **refusal)))

    (outcome,) = run(exchange, 1)

    assert outcome.attempts == ATTEMPTS_MAX
    assert isinstance(outcome.error, RefusedError)
    assert outcome.error.retry_after_ms == 1


def test_send_many__refused_for_good__is_not_sent_again() -> None:
    refusal: dict[str, Any] = {"status": Status.REFUSED, "code": "expired", "sentence": "Too late."}
    exchange = ExchangeDouble(lambda h, _: h.settle(answer(h.request_hash, **refusal)))

    (outcome,) = run(exchange, 1)

    assert isinstance(outcome.error, RefusedError)
    assert outcome.error.code == "expired"
    assert len(exchange.sent) == 1


def test_send_many__no_answer__times_out_that_request_alone() -> None:
    def answer_even(handle: Handle, _attempt: int) -> None:
        if int(handle.signed.id) % 2 == 0:
            handle.settle(answer(handle.request_hash))

    outcomes = run(ExchangeDouble(answer_even), 6)

    timed_out = [o for o in outcomes if isinstance(o.error, TimedOutError)]
    assert sorted(o.signed.id for o in timed_out) == ["1", "3", "5"]
    assert sum(o.answer is not None for o in outcomes) == 3


def test_send_many__kafka_takes_one_not__fails_that_request_alone() -> None:
    def refuse_first(handle: Handle, _attempt: int) -> None:
        if handle.signed.id == "0":
            handle.fail(UnavailableError("Away."))
        else:
            handle.settle(answer(handle.request_hash))

    outcomes = run(ExchangeDouble(refuse_first), 3)

    assert [o.signed.id for o in outcomes if isinstance(o.error, UnavailableError)] == ["0"]


def test_send_many__nothing_to_send__yields_nothing() -> None:
    assert run(ExchangeDouble(lambda *_: None), 0) == []


def test_handle__settled_twice__keeps_the_first_answer() -> None:
    handle = Handle(signed(1))

    handle.settle(answer("a"))
    handle.settle(answer("b"))
    handle.fail(UnavailableError("Away."))

    assert handle.future.result(0).request_hash == "a"


def test_summarise__mixed_outcomes__charges_executed_answers_only() -> None:
    refused = answer("c", status=Status.REFUSED, code="expired", sentence="No.", charge_units=None)
    outcomes = [
        Outcome(signed(1), answer("a"), None, 1),
        Outcome(signed(2), answer("b", status=Status.REPLAYED), None, 1),
        Outcome(signed(3), None, RefusedError(refused), 1),
        Outcome(signed(4), None, TimedOutError(Handle(signed(4)), 1.0), 2),
    ]

    summary = summarise(outcomes, repeated=False)

    assert summary.by_result == {"executed": 1, "expired": 1, "replayed": 1, "timed_out": 1}
    assert summary.charge_units == 7
    assert summary.charge_units_exact
    assert summary.answered == 2
    assert summary.requests == 4


def test_summarise__a_repeated_run_executes_again__the_charge_is_a_maximum() -> None:
    again = [Outcome(signed(1), answer("a"), None, 1)]
    replayed = [Outcome(signed(2), answer("b", status=Status.REPLAYED), None, 1)]

    assert not summarise(again + replayed, repeated=True).charge_units_exact
    assert summarise(replayed, repeated=True).charge_units_exact


@pytest.mark.parametrize(("status", "result"), [(s, str(s)) for s in ("executed", "replayed")])
def test_result_of__an_answer__is_its_status(status: str, result: str) -> None:
    outcome = Outcome(signed(1), answer("a", status=Status(status)), None, 1)

    assert result_of(outcome) == result
