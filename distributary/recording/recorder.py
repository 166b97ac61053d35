"""The attribution job, one bundle at a time: read, judge, weigh, commit; without Beam or Triton."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.answers import Answer, Status
from distributary.errors import InputError, UnavailableError
from distributary.recording.judging import Judge, read_record
from distributary.recording.records import (
    Batch,
    Bundle,
    Judged,
    Quarantined,
    SetAside,
    Weighed,
    Weights,
)
from distributary.recording.weights import (
    Question,
    Reply,
    make_question,
    needs_weights,
    read_reply,
    whole_to_commons,
)
from distributary.store.commit import Committed, Committer, MethodChangedError
from distributary.store.documents import DocumentIds, SessionKeys
from distributary.store.fence import read_open_epoch
from distributary.store.lanes import CommittedError, MovedError

log = logging.getLogger(__name__)

# What passes by itself: a server restarts, a disk is cleared, an index is swapped in.
TRANSIENT: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    UnavailableError,
    MethodChangedError,
    OSError,
)
# Postgres away for five minutes must be waited for; after this the job fails loudly.
WAIT_S_MAX: Final = 900.0
BACKOFF_S: Final = (0.1, 5.0)

T = TypeVar("T")


@dataclass
class Recorder:
    """Records the bundles of one lane after the other. Not thread-safe.

    Attributes:
        open_connection: connects to Postgres in autocommit; a broken connection is replaced.
        judge: judges answers; its `delegated_until` is replaced by the keys in Postgres.
        committer: the transaction; its `ids` are replaced by the documents in Postgres.
        attribute: asks the model `attribute`, replies in the order of the questions.
        read_texts: reads documents of the lake by hash.
        stopping: set to give up waiting, so that a drain ends.
        wait_s_max: how long a bundle waits in all for what is away.
        clock: seconds on a monotonic clock.
    """

    open_connection: Callable[[], Connection[TupleRow]]
    judge: Judge
    committer: Committer
    attribute: Callable[[Sequence[Question]], list[Reply]]
    read_texts: Callable[[Sequence[str]], dict[str, str]]
    stopping: threading.Event = field(default_factory=threading.Event)
    wait_s_max: float = WAIT_S_MAX
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._connection: Connection[TupleRow] | None = None
        self._ids, self._keys = DocumentIds(), SessionKeys()
        self.judge = replace(self.judge, delegated_until=self._keys.until)
        self.committer = replace(self.committer, ids=self._ids.by_hash)

    def record(self, batch: Batch) -> Committed | None:
        """Commits a batch, waiting for whatever is away.

        Returns:
            What it became; None where an earlier attempt had committed without hearing so.

        Raises:
            SupersededError, MovedError: see `lock_lane`.
            DistributaryError, OSError, psycopg.Error: nothing came back within `wait_s_max`, or
                the job is stopping; nothing is stored.
        """
        attempts = self._attempts()
        while True:
            bundle = self._patiently(attempts, lambda: self._prepare(batch))
            try:
                return self._commit(attempts, bundle)
            except MethodChangedError:
                continue

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _commit(self, attempts: "_Attempts", bundle: Bundle) -> Committed | None:
        """Commits with patience.

        Raises:
            MovedError: another attempt than one of ours stands where this bundle ends.
        """
        tried = 0

        def commit() -> Committed | None:
            nonlocal tried
            tried += 1
            try:
                return self.committer.commit(self._connected(), bundle)
            except CommittedError as error:
                if tried > 1:
                    return None
                raise MovedError("The lane is past this bundle.", value=error.value) from error

        return self._patiently(attempts, commit, passing_on=MethodChangedError)

    def _patiently(
        self,
        attempts: "_Attempts",
        act: Callable[[], T],
        passing_on: type[Exception] | tuple[()] = (),
    ) -> T:
        while True:
            try:
                return act()
            except passing_on:
                raise
            except TRANSIENT as error:
                self.close()
                log.warning({"msg": "a bundle waits", "error": f"{type(error).__name__}: {error}"})
                if not attempts.wait():
                    raise

    def _attempts(self) -> "_Attempts":
        return _Attempts(self.stopping, self.wait_s_max, self.clock)

    def _connected(self) -> Connection[TupleRow]:
        if self._connection is None or self._connection.closed:
            self._connection = self.open_connection()
        return self._connection

    def _prepare(self, batch: Batch) -> Bundle:
        """Everything that needs no lock: reads, judges and weighs."""
        connection = self._connected()
        read = [(record, read_record(record)) for record in batch.records]
        answers = [(record, each) for record, each in read if isinstance(each, Answer)]
        set_aside = [each for _, each in read if isinstance(each, Quarantined)]
        executed = [answer for _, answer in answers if answer.status is Status.EXECUTED]
        if executed:
            self._keys.forget_ended(max(answer.admitted_at_ms for answer in executed) // 1000)
        self._keys.learn(connection, ((answer.account, answer.key) for answer in executed))
        judged = [self.judge.judge(record, answer) for record, answer in answers]
        weighed, not_weighed = self._weigh(judged, read_open_epoch(connection).method)
        documents = (each.weights.documents for each in weighed if each.weights is not None)
        self._ids.learn(connection, (hash_ for hash_, _ in chain.from_iterable(documents)))
        return Bundle(batch, tuple(weighed), (*set_aside, *not_weighed))

    def _weigh(
        self, judged: Sequence[Judged], method: str
    ) -> tuple[list[Weighed], list[Quarantined]]:
        asked = [each for each in judged if needs_weights(each)]
        texts = self.read_texts(
            sorted({hash_ for each in asked for hash_ in each.answer.passages or ()})
        )
        replies = self.attribute([make_question(each, texts) for each in asked]) if asked else []
        replied = iter(zip(asked, replies, strict=True))
        weighed: list[Weighed] = []
        set_aside: list[Quarantined] = []
        commons = whole_to_commons(method)
        for each in judged:
            if not needs_weights(each):
                weighed.append(Weighed(each, commons if each.reason is None else None))
                continue
            found = _weights(*next(replied), method)
            if isinstance(found, Weights):
                weighed.append(Weighed(each, found))
            else:
                set_aside.append(found)
        return weighed, set_aside


def _weights(judged: Judged, reply: Reply, method: str) -> Weights | Quarantined:
    try:
        weights = read_reply(reply)
    except InputError as error:
        known = error.code in set(SetAside)
        reason = SetAside(error.code) if known else SetAside.BAD_WEIGHTS
        return Quarantined(judged.record, reason, str(error))
    if weights.method != method:
        raise UnavailableError(
            f"The epoch wants weights by {method}, and Triton makes them by {weights.method}: "
            "restart it with the method wanted, or close the epoch.",
            code="method_unavailable",
        )
    return weights


@dataclass
class _Attempts:
    """Pauses between the attempts at one bundle, growing, up to a limit in all."""

    stopping: threading.Event
    wait_s_max: float
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self._until = self.clock() + self.wait_s_max
        self._pauses = _pauses()

    def wait(self) -> bool:
        """Pauses; False if there is no use in another attempt."""
        if self.clock() > self._until:
            return False
        return not self.stopping.wait(next(self._pauses))


def _pauses() -> Iterator[float]:
    pause_s, most_s = BACKOFF_S
    while True:
        yield pause_s * random.uniform(0.5, 1.0)  # noqa: S311 (spreads load, decides nothing)
        pause_s = min(2 * pause_s, most_s)
