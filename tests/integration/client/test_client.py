"""The client against a real Kafka and a double of the inference job."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from distributary.answers import Status
from distributary.client import AsyncClient, Client, RefusedError, TimedOutError
from distributary.errors import InputError
from distributary.identity import partition_of
from distributary.keys import new_session_key
from distributary.requests import Request
from distributary.settings import Settings
from tests.integration.client.responder import Responder, execute

WAIT_S = 60.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refuse(code: str, retry_after_ms: int | None = None) -> dict[str, Any]:
    return {
        "status": Status.REFUSED,
        "code": code,
        "sentence": f"It is {code}.",
        "retry_after_ms": retry_after_ms,
    }


def test_send__a_prompt__is_answered(client: Client, responder: Responder) -> None:
    answer = client.send("Why?", model="simulated", max_charge_units=10, timeout_s=WAIT_S)

    assert answer.text == "echo Why?"
    assert answer.status is Status.EXECUTED
    assert answer.charge_units == "7"


def test_send__twice_the_same_prompt__is_two_purchases(
    client: Client, responder: Responder
) -> None:
    hashes = {
        client.send("Why?", model="simulated", max_charge_units=10, timeout_s=WAIT_S).request_hash
        for _ in range(2)
    }

    assert len(hashes) == 2


def test_submit__the_same_request_again__sends_the_same_bytes_and_is_replayed(
    client: Client, responder: Responder
) -> None:
    signed = client.sign({"model": "simulated", "prompt": "Why?"}, max_charge_units=10)

    statuses = [client.send_signed(signed, WAIT_S).status for _ in range(2)]

    assert statuses == [Status.EXECUTED, Status.REPLAYED]
    assert responder.values == [signed.payload.encode()] * 2


def test_send__refused__raises_code_and_sentence(client: Client, responder: Responder) -> None:
    responder.judge = lambda _request, _seen: [refuse("above_maximum")]

    with pytest.raises(RefusedError, match="above_maximum") as caught:
        client.send("Why?", model="simulated", max_charge_units=1, timeout_s=WAIT_S)

    assert caught.value.code == "above_maximum"
    assert caught.value.retry_after_ms is None
    assert len(responder.values) == 1


def test_send__told_when_to_try_again__sends_the_same_bytes_until_answered(
    client: Client, responder: Responder
) -> None:
    def busy_twice(request: Request, seen: int) -> list[dict[str, Any]]:
        return [refuse("in_progress", 20)] if seen < 3 else execute(request, 1)

    responder.judge = busy_twice

    answer = client.send("Why?", model="simulated", max_charge_units=10, timeout_s=WAIT_S)

    assert answer.status is Status.EXECUTED
    assert len(responder.values) == 3
    assert len(set(responder.values)) == 1


def test_wait__the_answer_comes_late__can_be_waited_for_again(
    client: Client, responder: Responder
) -> None:
    responder.go.clear()
    signed = client.sign({"model": "simulated", "prompt": "Why?"}, max_charge_units=10)
    handle = client.submit(signed)
    with pytest.raises(TimedOutError) as caught:
        client.wait(handle, 0.05)

    responder.go.set()

    assert caught.value.handle is handle
    assert client.wait(handle, WAIT_S).text == "echo Why?"
    assert len(responder.values) == 1


def test_submit__while_it_is_under_way__is_the_same_handle(
    client: Client, responder: Responder
) -> None:
    responder.go.clear()
    signed = client.sign({"model": "simulated", "prompt": "Why?"}, max_charge_units=10)

    first, second = client.submit(signed), client.submit(signed)
    responder.go.set()

    assert first is second
    assert client.wait(first, WAIT_S).status is Status.EXECUTED


def test_client__answers_of_others_before_and_beside__are_passed_over(
    settings: Settings, client: Client, responder: Responder
) -> None:
    with Client(settings, new_session_key("0x" + "b" * 40, 2**40)) as other:
        for n in range(40):
            other.send(f"{n}?", model="simulated", max_charge_units=10, timeout_s=WAIT_S)

    assert client.send("Why?", model="simulated", max_charge_units=10).text == "echo Why?"


def test_client__nothing_waited_for__lets_go_of_partitions_that_others_fill(
    settings: Settings, client: Client, responder: Responder
) -> None:
    answer = client.send("Why?", model="simulated", max_charge_units=10, timeout_s=WAIT_S)
    partition = partition_of(answer.request_hash, settings.partitions)
    assert client.exchange.partitions() == {partition}

    with Client(settings, new_session_key("0x" + "b" * 40, 2**40)) as other:
        for n in range(40):
            other.send(f"{n}?", model="simulated", max_charge_units=10, timeout_s=WAIT_S)

    until(lambda: client.exchange.partitions() == set())
    again = client.send("Why?", model="simulated", max_charge_units=10, timeout_s=WAIT_S)
    assert again.text == "echo Why?"


def test_client__a_broken_answer_and_one_of_another_hash__are_passed_over(
    client: Client, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_then_good(request: Request, seen: int) -> list[dict[str, Any]]:
        return execute(request, seen) * 3

    values = [b"\xff", None]
    honest = responder.answer

    def answer(message: Any, request: Request, given: dict[str, Any]) -> bytes:
        return values.pop(0) or b"{}" if values else honest(message, request, given)

    responder.judge = broken_then_good
    monkeypatch.setattr(responder, "answer", answer)

    assert client.send("Why?", model="simulated", max_charge_units=10).text == "echo Why?"


def test_send_many__hundreds_at_once__are_all_answered_on_every_partition(
    settings: Settings, client: Client, responder: Responder
) -> None:
    requests = [
        client.sign({"model": "simulated", "prompt": f"{n}?"}, max_charge_units=10)
        for n in range(300)
    ]

    outcomes = list(client.send_many(requests, timeout_s=WAIT_S, window_max=64))

    assert {o.signed.request_hash: o.answer and o.answer.text for o in outcomes} == {
        r.request_hash: f"echo {n}?" for n, r in enumerate(requests)
    }
    assert client.exchange.partitions() == set(range(settings.partitions))


def test_client__many_threads__each_get_their_own_answer(
    client: Client, responder: Responder
) -> None:
    got: dict[str, str | None] = {}

    def ask(n: int) -> None:
        question = f"{n}?"
        got[question] = client.send(question, model="simulated", max_charge_units=10).text

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)

    assert got == {f"{n}?": f"echo {n}?" for n in range(20)}


def test_async_client__many_at_once__are_answered(client: Client, responder: Responder) -> None:
    async def ask() -> list[str | None]:
        asking = AsyncClient(client)
        answers = await asyncio.gather(
            *(
                asking.send(f"{n}?", model="simulated", max_charge_units=10, timeout_s=WAIT_S)
                for n in range(20)
            )
        )
        return [answer.text for answer in answers]

    assert asyncio.run(ask()) == [f"echo {n}?" for n in range(20)]


def test_async_client__refused_and_late__raises_as_the_client_does(
    client: Client, responder: Responder
) -> None:
    responder.judge = lambda _request, _seen: [refuse("expired")]

    async def ask() -> None:
        asking = AsyncClient(client)
        with pytest.raises(RefusedError):
            await asking.send("a", model="simulated", max_charge_units=1, timeout_s=WAIT_S)
        responder.go.clear()
        signed = client.sign({"model": "simulated", "prompt": "b"}, max_charge_units=1)
        handle = await asking.submit(signed)
        with pytest.raises(TimedOutError):
            await asking.wait(handle, 0.05)
        responder.judge = execute
        responder.go.set()
        assert (await asking.wait(handle, WAIT_S)).text == "echo b"

    asyncio.run(ask())


def test_submit__larger_than_the_job_reads__is_refused_before_sending(
    client: Client, responder: Responder
) -> None:
    with pytest.raises(InputError) as caught:
        client.send("x" * 300_000, model="simulated", max_charge_units=1)

    assert caught.value.code == "oversize"
    assert responder.values == []


def test_sign__an_expiry_beyond_the_longest__is_refused(client: Client) -> None:
    body = {"model": "simulated", "prompt": "Why?"}

    with pytest.raises(InputError):
        client.sign(body, max_charge_units=1, expiry_s=33 * 86_400)
    with pytest.raises(InputError):
        client.sign(body, max_charge_units=1, expiry_s=0)


def test_client__topics_missing__says_what_to_do(kafka: str) -> None:
    with pytest.raises(InputError, match="distributary up"):
        Client(Settings(kafka=kafka, topic_prefix="none."), new_session_key("0x" + "a" * 40, 1))
