"""Many requests at once: a bounded window of them under way, results as they come."""

import heapq
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Final, Protocol

from distributary.answers import Answer
from distributary.client.errors import RefusedError, TimedOutError
from distributary.client.exchange import Handle
from distributary.client.signed import SignedRequest
from distributary.errors import DistributaryError

WINDOW_MAX: Final = 2_048
ATTEMPTS_MAX: Final = 5
WAIT_S: Final = 0.05


class Submits(Protocol):
    """What bulk sending needs of an exchange."""

    def submit(self, signed: SignedRequest) -> Handle:
        """Sends a request, for the first time or again."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What became of one request: an answer, or why there is none.

    Attributes:
        signed: the request.
        answer: executed or replayed.
        error: `RefusedError`, `TimedOutError` or `UnavailableError`.
        attempts: how often it was sent.
    """

    signed: SignedRequest
    answer: Answer | None
    error: DistributaryError | None
    attempts: int


@dataclass(order=True)
class _Try:
    at: float
    signed: SignedRequest = field(compare=False)
    attempts: int = field(compare=False)


class _Window:
    """The requests under way and those to be sent again, on one clock."""

    def __init__(self, exchange: Submits, timeout_s: float, clock: Callable[[], float]) -> None:
        self._exchange, self._timeout_s, self._clock = exchange, timeout_s, clock
        self._finished: queue.SimpleQueue[Handle] = queue.SimpleQueue()
        self._under_way: dict[Handle, _Try] = {}  # in the order of their time-outs
        self._again: list[_Try] = []

    def __len__(self) -> int:
        return len(self._under_way) + len(self._again)

    def send(self, signed: SignedRequest, attempts: int = 1) -> None:
        handle = self._exchange.submit(signed)
        self._under_way[handle] = _Try(self._clock() + self._timeout_s, signed, attempts)
        handle.future.add_done_callback(lambda _future: self._finished.put(handle))

    def send_again(self) -> None:
        while self._again and self._again[0].at <= self._clock():
            due = heapq.heappop(self._again)
            self.send(due.signed, due.attempts + 1)

    def collect(self, wait_s: float) -> Iterator[Outcome]:
        """Yields what is finished, waiting at most `wait_s` for the first."""
        try:
            finished = [self._finished.get(timeout=wait_s)]
            finished += [self._finished.get_nowait() for _ in range(self._finished.qsize())]
        except queue.Empty:
            finished = []
        for handle in finished:
            if handle in self._under_way:
                outcome = self._judge(handle, self._under_way.pop(handle))
                if outcome is not None:
                    yield outcome
        yield from self._timed_out()

    def _judge(self, handle: Handle, sent: _Try) -> Outcome | None:
        try:
            answer = handle.future.result(0)
        except DistributaryError as error:
            return Outcome(sent.signed, None, error, sent.attempts)
        except CancelledError:
            return Outcome(sent.signed, None, TimedOutError(handle, self._timeout_s), sent.attempts)
        if answer.code is None:
            return Outcome(sent.signed, answer, None, sent.attempts)
        if answer.retry_after_ms is None or sent.attempts >= ATTEMPTS_MAX:
            return Outcome(sent.signed, None, RefusedError(answer), sent.attempts)
        at = self._clock() + answer.retry_after_ms / 1000
        heapq.heappush(self._again, _Try(at, sent.signed, sent.attempts))
        return None

    def _timed_out(self) -> Iterator[Outcome]:
        now = self._clock()
        while self._under_way:
            handle, sent = next(iter(self._under_way.items()))
            if sent.at > now:
                return
            del self._under_way[handle]
            error = TimedOutError(handle, self._timeout_s)
            yield Outcome(sent.signed, None, error, sent.attempts)


def send_many(
    exchange: Submits,
    requests: Iterable[SignedRequest],
    *,
    timeout_s: float,
    window_max: int = WINDOW_MAX,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Outcome]:
    """Sends requests, a bounded window at a time; yields one outcome each, in any order.

    A refusal that says when to try again is tried again, `ATTEMPTS_MAX` times in all.

    Args:
        exchange: where to.
        requests: taken one by one as there is room.
        timeout_s: for each, from its sending.
        window_max: requests under way at once.
        clock: seconds, monotonic.

    Raises:
        UnavailableError: Kafka takes no more.
    """
    window, left = _Window(exchange, timeout_s, clock), iter(requests)
    more = True
    while more or len(window):
        window.send_again()
        while more and len(window) < window_max:
            signed = next(left, None)
            more = signed is not None
            if signed is not None:
                window.send(signed)
        yield from window.collect(WAIT_S)
