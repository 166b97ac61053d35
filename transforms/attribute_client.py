"""The model `attribute` on our own Triton, asked in batches with a bounded number in flight."""

import queue
import random
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from distributary.errors import UnavailableError
from distributary.recording.weights import Question, Reply

MODEL: Final = "attribute"
BATCH_MAX: Final = 64
# A batch takes half a second at 7 ms an answer; a restart of the server must not be mistaken.
DEADLINE_S: Final = 60.0
ATTEMPTS_MAX: Final = 5
PAUSE_S: Final = (0.010, 0.050)
BUSY: Final = frozenset(
    f"StatusCode.{code}" for code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED")
)
# A process of the model has died, and Triton 2.51 never starts it again: it says nothing against
# the question, and setting the question aside would leave its owners unpaid.
DEAD_PROCESS: Final = "is not healthy"
_INPUTS: Final = {
    "ANSWER": "answer",
    "QUESTION": "question",
    "PASSAGES": "passages",
    "DATANET": "datanet",
    "MANIFEST": "manifest_hash",
}
_CHANNEL: Final = [
    # Without a ceiling gRPC waits up to two minutes before it tries a restarted server again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


Finish = Callable[[Any, Exception | None], None]


@dataclass
class _Part:
    """Consecutive questions that go out as one batch."""

    first: int
    questions: Sequence[Question]
    attempts: int = 0
    sent_at: float = 0.0

    @property
    def ids(self) -> list[bytes]:
        """What comes back with the weights of each question, so that none are another's."""
        return [b"%d" % number for number in range(self.first, self.first + len(self.questions))]


class AttributeClient:
    """Asks for weights; safe to use from several lanes at once, which share the bound in flight."""

    def __init__(self, address: str, batches_in_flight_max: int, deadline_s: float = DEADLINE_S):
        self._client = triton.InferenceServerClient(address, channel_args=_CHANNEL)
        self._slots = threading.BoundedSemaphore(batches_in_flight_max)
        self._deadline_s = deadline_s

    def __call__(self, questions: Sequence[Question]) -> list[Reply]:
        """Returns the replies in the order of the questions.

        A batch that fails although Triton serves is halved, down to the question that it cannot
        answer, which alone gets an error: provided that Triton answered another one since.

        Raises:
            UnavailableError: Triton does not answer, or has answered nothing since a question
                failed.
        """
        call = _Call(self.send, len(questions))
        for first in range(0, len(questions), BATCH_MAX):
            call.ask(_Part(first, questions[first : first + BATCH_MAX]))
        return call.wait()

    def send(self, part: "_Part", finish: Finish) -> None:
        """Sends one part as soon as a slot is free; `finish` gets its result or its error."""
        self._slots.acquire()

        def free_and_finish(result: Any, error: Exception | None) -> None:
            self._slots.release()
            finish(result, error)

        try:
            self._client.async_infer(
                MODEL, _tensors(part), free_and_finish, client_timeout=self._deadline_s
            )
        except InferenceServerException as error:
            free_and_finish(None, error)

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()


class _Call:
    """The batches of one call, until each question has its reply or the call has failed."""

    def __init__(self, send: Callable[[_Part, Finish], None], count: int) -> None:
        self._send = send
        self._replies: list[Reply | None] = [None] * count
        self._done: queue.SimpleQueue[tuple[_Part, Any, Exception | None]] = queue.SimpleQueue()
        self._under_way = 0
        self._refused: list[_Part] = []
        self._answered_at = 0.0
        self._failure: UnavailableError | None = None

    def ask(self, part: _Part) -> None:
        """Sends a part; blocks while too many batches are in flight."""
        self._under_way += 1
        part.sent_at = time.monotonic()
        self._send(part, lambda result, error: self._done.put((part, result, error)))

    def wait(self) -> list[Reply]:
        """The replies, once nothing is under way."""
        while self._under_way:
            part, result, error = self._done.get()
            self._under_way -= 1
            found = _replies(result, part) if error is None else None
            if found is not None:
                self._replies[part.first : part.first + len(found)] = found
                self._answered_at = time.monotonic()
            elif self._failure is None:
                self._mend(part, error)
        if any(part.sent_at > self._answered_at for part in self._refused):
            self._failure = self._failure or UnavailableError("Triton attributes nothing any more.")
        if self._failure is not None:
            raise self._failure
        return [reply for reply in self._replies if reply is not None]

    def _mend(self, part: _Part, error: Exception | None) -> None:
        """Asks a failed part again, in halves if it is not for want of a server."""
        part.attempts += 1
        if _is_busy(error) and part.attempts >= ATTEMPTS_MAX:
            self._failure = UnavailableError(
                f"Triton does not attribute: check the setting `triton_trusted` "
                f"({str(error)[:200]})."
            )
        elif _is_busy(error) or part.attempts == 1:
            self._again(part)
        elif len(part.questions) > 1:
            self._again(*_halves(part))
        else:
            self._refused.append(part)
            self._replies[part.first] = Reply("", f"not_attributed: {str(error)[:200]}")

    def _again(self, *parts: _Part) -> None:
        time.sleep(random.uniform(*PAUSE_S))  # noqa: S311 (spreads load, decides nothing)
        for part in parts:
            self.ask(part)


def _tensors(part: _Part) -> list[triton.InferInput]:
    columns = {
        name: [getattr(question, attribute).encode() for question in part.questions]
        for name, attribute in _INPUTS.items()
    }
    return [_tensor(name, values) for name, values in ({"ITEM": part.ids} | columns).items()]


def _tensor(name: str, values: list[bytes]) -> triton.InferInput:
    tensor = triton.InferInput(name, [len(values), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(values, dtype=np.object_).reshape(-1, 1))
    return tensor


def _replies(result: Any, part: _Part) -> list[Reply] | None:
    """The replies of a part; None unless there is exactly one for each question, in its place."""
    try:
        ids, weights, errors = (
            list(result.as_numpy(name).reshape(-1)) for name in ("ITEM", "WEIGHTS", "ERROR")
        )
    except (AttributeError, ValueError, struct.error):  # a tensor that is missing or damaged
        return None
    if ids != part.ids or not len(ids) == len(weights) == len(errors):
        return None
    return [Reply(_text(w), _text(e)) for w, e in zip(weights, errors, strict=True)]


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _is_busy(error: Exception | None) -> bool:
    if not isinstance(error, InferenceServerException):
        return False
    return error.status() in BUSY or DEAD_PROCESS in str(error.message())


def _halves(part: _Part) -> list[_Part]:
    middle = len(part.questions) // 2
    return [
        _Part(part.first, part.questions[:middle], part.attempts),
        _Part(part.first + middle, part.questions[middle:], part.attempts),
    ]
