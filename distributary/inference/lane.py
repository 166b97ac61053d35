"""A lane: reads one partition of requests and knows which of its records are finished.

The consumer is used on the lane's reading thread alone: a call from another thread waits for the
poll under way, and a loop of polls starves it.
"""

import asyncio
import logging
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from operator import methodcaller
from typing import Any, NamedTuple

from distributary.errors import UnavailableError
from distributary.events import Headers
from distributary.identity import Coordinates
from distributary.inference.metrics import Metrics
from distributary.inference.records import Record
from distributary.kafka import passes
from distributary.low_water import LowWater

log = logging.getLogger(__name__)

READ_MAX = 64
# How long a read waits for a first message: it bounds how late a lane notices that it is to stop.
POLL_S = 0.25
METADATA_S_MAX = 30.0


# confluent-kafka may return headers with an exception pending; a plain call, once Python has
# specialised it, does not look, and the exception would come up somewhere else.
_HEADERS = methodcaller("headers")


class LaneAddress(NamedTuple):
    """Which partition of which topic, read for which consumer group."""

    topic: str
    partition: int
    group: str


class Lane:
    """One partition. `take_finished`, `position` and `commit` are safe from any thread."""

    def __init__(
        self, address: LaneAddress, topic_id: str, config: dict[str, Any], mark: int | None
    ) -> None:
        from confluent_kafka import Consumer, TopicPartition

        self.address = address
        self._topic_id = topic_id
        self._consumer = Consumer(config | {"group.id": address.group})
        self._here = TopicPartition(address.topic, address.partition)
        self._high = 0
        start = self._start_offset(mark)
        self._water = LowWater(start)
        self._outcomes: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._wake = asyncio.Event()
        self._reading = ThreadPoolExecutor(1, f"lane-{address.partition}")
        self._committed = start
        self._seen_position, self._moved_at = start, time.monotonic()
        self.failure: BaseException | None = None
        self.touched_at = time.monotonic()
        self.draining = False
        self.drained = False
        self._consumer.assign([TopicPartition(address.topic, address.partition, start)])
        log.info({"msg": "lane opened", "partition": address.partition, "offset": start})

    def _start_offset(self, mark: int | None) -> int:
        """The later of committed offset and runner's mark; the oldest record where there is none.

        Raises:
            UnavailableError: the position was removed by retention; records are lost to us.
        """
        (committed,) = self._consumer.committed([self._here], timeout=METADATA_S_MAX)
        low, high = self._consumer.get_watermark_offsets(self._here, timeout=METADATA_S_MAX)
        known = max(committed.offset, -1 if mark is None else mark)
        if known >= 0 and not low <= known <= high:
            raise UnavailableError(
                f"Partition {self.address.partition} holds offsets {low} to {high}, not ours: "
                "records were removed before they were read. Reset the group to go on.",
                value=known,
                code="position_lost",
            )
        return low if known < 0 else known

    @property
    def position(self) -> int:
        """The low-water mark: where a restart may begin."""
        with self._lock:
            return self._water.position

    @property
    def ahead(self) -> int:
        """Records delivered and not yet passed by the low-water mark."""
        with self._lock:
            return self._water.ahead

    async def read(self) -> list[Record]:
        """Reads what is there, at most `READ_MAX` records; empty after `POLL_S` without any."""
        loop = asyncio.get_running_loop()
        messages = await loop.run_in_executor(self._reading, self._poll)
        records = [self._record(message) for message in messages]
        with self._lock:
            self._water.deliver(record.coordinates.offset for record in records)
        return records

    def _poll(self) -> list[Any]:
        first = self._consumer.poll(POLL_S)
        _low, self._high = self._consumer.get_watermark_offsets(self._here, cached=True)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(READ_MAX - 1, timeout=0)]
        for message in messages:
            error = message.error()
            if error is not None and not passes(error):
                raise UnavailableError(f"Kafka cannot be read: {error.str()}.")
        return [message for message in messages if message.error() is None]

    def _record(self, message: Any) -> Record:
        _kind, at_ms = message.timestamp()
        coordinates = Coordinates(self._topic_id, self.address.partition, message.offset())
        return Record(coordinates, at_ms, _headers(message), message.value() or b"")

    async def wait_for_room(self, window_max: int) -> None:
        """Waits while `window_max` records are ahead of the low-water mark."""
        while self.ahead >= window_max and not self.draining:
            self._wake.clear()
            await self._wake.wait()

    def finish(self, outcomes: list[tuple[int, str]]) -> None:
        """Notes finished records: (offset, outcome)."""
        with self._lock:
            for offset, outcome in outcomes:
                self._water.finish(offset)
                self._outcomes[outcome] += 1
        self._wake.set()

    def take_finished(self) -> dict[str, int]:
        """How many records finished since the last call, by outcome."""
        with self._lock:
            taken, self._outcomes = self._outcomes, Counter()
        return dict(taken)

    def commit(self, offset: int) -> "Future[None]":
        """Commits a position to Kafka, soon; never one that a later commit has passed."""
        future = self._reading.submit(self._commit, offset)
        future.add_done_callback(_log_failure)
        return future

    def _commit(self, offset: int) -> None:
        from confluent_kafka import TopicPartition

        if offset > self._committed:
            here = TopicPartition(self.address.topic, self.address.partition, offset)
            self._consumer.commit(offsets=[here], asynchronous=False)
            self._committed = offset

    def observe(self, metrics: Metrics, label: str, now: float) -> None:
        """Sets the gauges of this lane; `now` is in seconds of the monotonic clock."""
        position, ahead = self.position, self.ahead
        if position != self._seen_position or not ahead:
            self._seen_position, self._moved_at = position, now
        metrics.lag.labels(label).set(max(0, int(self._high) - position))
        metrics.ahead.labels(label).set(ahead)
        metrics.mark_age_s.labels(label).set(now - self._moved_at)

    def stop(self) -> None:
        """Stops reading; what was delivered is still finished. Call on the event loop."""
        self.draining = True
        self._wake.set()

    def close(self) -> None:
        """Closes the consumer, and with it the lane."""
        self._reading.shutdown(wait=True)
        self._consumer.close()


def _log_failure(future: "Future[None]") -> None:
    """A commit that failed costs a look-up per record after a crash, and nothing else."""
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning({"msg": "position not committed", "error": str(error)})


def _headers(message: Any) -> Headers | None:
    """The headers; none where a name is not UTF-8, which confluent-kafka cannot hand out."""
    try:
        headers: Headers | None = _HEADERS(message)
    except (SystemError, UnicodeDecodeError):
        return None
    return headers
