"""Asking the model `attribute`: order, retries, halves; the server is a double with knobs."""

import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from distributary.errors import UnavailableError
from distributary.recording.weights import Question
from transforms import attribute_client
from transforms.attribute_client import AttributeClient

Finish = Callable[[Any, Exception | None], None]


class Result:
    """Three tensors."""

    def __init__(self, ids: list[bytes], weights: list[bytes], errors: list[bytes]) -> None:
        self.columns = {"ITEM": ids, "WEIGHTS": weights, "ERROR": errors}

    def as_numpy(self, name: str) -> Any:
        return np.array(self.columns[name], dtype=np.object_).reshape(-1, 1)


class TritonDouble:
    """Answers each question with its own text, on another thread, unless told otherwise."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.poison: set[bytes] = set()
        self.refusal = InferenceServerException("cannot", status="StatusCode.INTERNAL")
        self.short = self.swapped = 0
        self.hangs_after, self.hang = 10**9, Exception()
        self.sizes: list[int] = []
        self.in_flight = self.in_flight_most = 0
        self._lock = threading.Lock()

    def async_infer(
        self, model: str, inputs: list[Any], finish: Finish, client_timeout: float
    ) -> None:
        assert model == "attribute"
        ids, answers = ([bytes(value) for value in _bytes(given)] for given in inputs[:2])
        with self._lock:
            self.sizes.append(len(answers))
            self.in_flight += 1
            self.in_flight_most = max(self.in_flight, self.in_flight_most)
        threading.Timer(0.001, self._finish, (ids, answers, finish)).start()

    def _finish(self, ids: list[bytes], answers: list[bytes], finish: Finish) -> None:
        with self._lock:
            self.in_flight -= 1
            failure = self.failures.pop(0) if self.failures else None
            self.hangs_after -= 1
            if self.hangs_after < 0:
                failure = self.hang
            short, self.short = self.short, max(0, self.short - 1)
            swapped, self.swapped = self.swapped, max(0, self.swapped - 1)
        if failure is None and self.poison & set(answers):
            failure = self.refusal
        if failure is not None:
            finish(None, failure)
        else:
            kept = slice(1, None) if short else slice(None, None, -1 if swapped else 1)
            finish(Result(ids[kept], answers[kept], [b""] * len(answers[kept])), None)

    def close(self) -> None:
        """Nothing to close."""


def _bytes(tensor: Any) -> Iterator[bytes]:
    from tritonclient.utils import deserialize_bytes_tensor

    yield from deserialize_bytes_tensor(tensor._get_content())


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> TritonDouble:
    double = TritonDouble()
    monkeypatch.setattr(attribute_client.triton, "InferenceServerClient", lambda *_a, **_k: double)
    monkeypatch.setattr(attribute_client, "PAUSE_S", (0.0, 0.0))
    return double


def questions(count: int) -> list[Question]:
    return [Question(f"answer {number}", "q", "[]", "net", "m") for number in range(count)]


def asked(client: AttributeClient, count: int) -> list[str]:
    return [reply.weights for reply in client(questions(count))]


def test_call__many_questions__come_back_in_order_with_a_bounded_number_in_flight(
    triton: TritonDouble,
) -> None:
    client = AttributeClient("address", 3)

    assert asked(client, 1000) == [f"answer {number}" for number in range(1000)]
    assert triton.in_flight_most <= 3
    assert max(triton.sizes) == 64


def test_call__nothing_to_ask__asks_nothing(triton: TritonDouble) -> None:
    assert asked(AttributeClient("address", 3), 0) == []
    assert triton.sizes == []


@pytest.mark.parametrize("status", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"])
def test_call__server_busy_for_a_moment__is_asked_again(triton: TritonDouble, status: str) -> None:
    triton.failures = [InferenceServerException("busy", status=f"StatusCode.{status}")] * 3

    assert len(asked(AttributeClient("address", 2), 200)) == 200


def test_call__server_stays_away__is_unavailable_after_a_bounded_number_of_tries(
    triton: TritonDouble,
) -> None:
    triton.failures = [InferenceServerException("gone", status="StatusCode.UNAVAILABLE")] * 1000

    with pytest.raises(UnavailableError, match="does not attribute"):
        asked(AttributeClient("address", 2), 100)
    assert len(triton.sizes) <= 2 * attribute_client.ATTEMPTS_MAX


def test_call__one_question_breaks_its_batch__fails_alone(triton: TritonDouble) -> None:
    triton.poison = {b"answer 77"}

    replies = AttributeClient("address", 2)(questions(150))

    assert [n for n, reply in enumerate(replies) if reply.error] == [77]
    assert replies[77].error.startswith("not_attributed")
    assert replies[76].weights == "answer 76"


def test_call__every_question_fails__is_the_servers_fault(triton: TritonDouble) -> None:
    triton.poison = {f"answer {number}".encode() for number in range(5)}

    with pytest.raises(UnavailableError, match="attributes nothing"):
        AttributeClient("address", 2)(questions(5))


def test_call__a_process_of_the_model_is_dead__sets_nothing_aside(triton: TritonDouble) -> None:
    triton.poison = {b"answer 77"}
    triton.refusal = InferenceServerException(
        "Stub process 'attribute_0_1' is not healthy.", status="StatusCode.INTERNAL"
    )

    with pytest.raises(UnavailableError, match="is not healthy"):
        AttributeClient("address", 2)(questions(150))


def test_call__server_hangs_midway__sets_nothing_aside(triton: TritonDouble) -> None:
    late = InferenceServerException("too late", status="StatusCode.DEADLINE_EXCEEDED")
    triton.hangs_after, triton.hang = 2, late

    with pytest.raises(UnavailableError, match="nothing any more"):
        asked(AttributeClient("address", 2), 200)


def test_call__short_batch__is_asked_again_and_never_misplaced(triton: TritonDouble) -> None:
    triton.short = 2

    assert asked(AttributeClient("address", 2), 100) == [f"answer {n}" for n in range(100)]


def test_call__items_in_another_order__are_asked_again_and_never_misplaced(
    triton: TritonDouble,
) -> None:
    triton.swapped = 2

    assert asked(AttributeClient("address", 2), 100) == [f"answer {n}" for n in range(100)]


def test_call__damaged_tensor__is_asked_again(
    triton: TritonDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, damaged = Result.as_numpy, [True]

    def as_numpy(result: Result, name: str) -> Any:
        if damaged and damaged.pop():
            raise struct.error("unpack requires a buffer of 4 bytes")
        return whole(result, name)

    monkeypatch.setattr(Result, "as_numpy", as_numpy)

    assert asked(AttributeClient("address", 2), 3) == ["answer 0", "answer 1", "answer 2"]


def test_call__two_lanes_at_once__each_gets_its_own(triton: TritonDouble) -> None:
    client = AttributeClient("address", 2)
    found: dict[int, list[str]] = {}

    def ask(count: int) -> None:
        found[count] = asked(client, count)

    threads = [threading.Thread(target=ask, args=(count,)) for count in (130, 260)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {count: len(replies) for count, replies in found.items()} == {130: 130, 260: 260}
    assert triton.in_flight_most <= 2
