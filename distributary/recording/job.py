"""The attribution job of one process: its open lanes, and what happens when a bundle fails."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Final

from distributary.errors import UnavailableError
from distributary.recording.lane import AnswersLane
from distributary.recording.metrics import Metrics
from distributary.recording.recorder import Recorder
from distributary.recording.records import Batch, Lane
from distributary.store.lanes import MovedError, SupersededError

log = logging.getLogger(__name__)

# A bundle that fails by something that does not pass by itself is read again so many times.
FAILURES_MAX: Final = 5
REOPEN_S: Final = 1.0
GAUGES_S: Final = 1.0


@dataclass
class RecordingJob:
    """Lanes by partition, shared by all readers and bundle processors of this process.

    A failed bundle drops its lane: the next read opens it anew, at the offset that Postgres has
    and with a higher generation. So the job goes on whatever becomes of one bundle, and nothing
    that was read and not committed is lost.

    Attributes:
        open_lane: opens a partition; UnavailableError while Kafka or Postgres is away.
        make_recorder: a recorder of its own for each bundle processor.
        metrics: what is counted.
    """

    open_lane: Callable[[int], AnswersLane]
    make_recorder: Callable[[], Recorder]
    metrics: Metrics = field(default_factory=Metrics)
    failures_max: int = FAILURES_MAX

    def __post_init__(self) -> None:
        self.stopping = threading.Event()
        self.failure: Exception | None = None
        self._lanes: dict[int, AnswersLane] = {}
        self._not_before: dict[int, float] = {}
        self._failed_in_a_row: dict[int, int] = {}
        self._lock = threading.Lock()
        self._opening: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._gauged_at = 0.0

    def poll(self, partition: int) -> Batch | None:
        """The next ripe batch of a partition, if there is one.

        Raises:
            DistributaryError: the partition can never be read on.
        """
        if self.stopping.is_set():
            return None
        lane = self._lane(partition)
        batch = None if lane is None else lane.poll()
        self._gauge()
        if batch is not None:
            self.metrics.consumed.inc(len(batch.records))
        return batch

    def _lane(self, partition: int) -> AnswersLane | None:
        with self._lock:
            opening = self._opening[partition]
        # Of two readers one opens: a second generation would make a zombie of the first.
        with opening:
            return self._opened(partition)

    def _opened(self, partition: int) -> AnswersLane | None:
        with self._lock:
            lane = self._lanes.get(partition)
            if lane is not None or time.monotonic() < self._not_before.get(partition, 0.0):
                return lane
        try:
            lane = self.open_lane(partition)
        except UnavailableError as error:
            log.warning({"msg": "a lane waits", "partition": partition, "error": str(error)})
            self._not_before[partition] = time.monotonic() + REOPEN_S
            return None
        with self._lock:
            self._lanes[partition] = lane
        return lane

    def commit(self, recorder: Recorder, batches: Sequence[Batch]) -> None:
        """Commits the batches of a bundle, each lane's in one transaction.

        Raises:
            SupersededError: another process has taken over; this one stops.
            Exception: the same lane failed `failures_max` times in a row, or is not open here.
        """
        for lane, group in groupby(batches, key=lambda batch: batch.lane):
            self._commit_lane(recorder, lane, join_batches(list(group)))

    def _commit_lane(self, recorder: Recorder, lane: Lane, batch: Batch) -> None:
        self.metrics.in_flight.inc(len(batch.records))
        try:
            with self.metrics.bundle_s.time():
                committed = recorder.record(batch)
        except SupersededError as error:
            self.failure = error
            raise
        except Exception as error:
            self.metrics.failed_bundles.inc()
            if not self._read_again(lane, error):
                raise
            return
        finally:
            self.metrics.in_flight.dec(len(batch.records))
        self._failed_in_a_row[lane.partition] = 0
        for outcome, count in (committed.counts if committed else {}).items():
            self.metrics.recorded.labels(outcome).inc(count)
        if (open_ := self._lanes.get(lane.partition)) is not None and open_.lane == lane:
            open_.committed(batch.to_offset)

    def _read_again(self, lane: Lane, error: Exception) -> bool:
        """Drops the lane of a failed bundle; False if the failure must surface."""
        dropped = self._drop(lane)
        if self.stopping.is_set():
            return True
        failures = self._failed_in_a_row.get(lane.partition, 0) + 1
        self._failed_in_a_row[lane.partition] = failures
        if not dropped or failures >= self.failures_max:
            self.failure = error
            return False
        moved = isinstance(error, MovedError)
        log.log(
            logging.WARNING if moved else logging.ERROR,
            {"msg": "a bundle is read again", "partition": lane.partition, "error": repr(error)},
            exc_info=None if moved else error,
        )
        self._not_before[lane.partition] = time.monotonic() + REOPEN_S
        return True

    def _drop(self, lane: Lane) -> bool:
        """Closes the lane unless it was opened again since; False if none is open here."""
        with self._lock:
            open_ = self._lanes.get(lane.partition)
            if open_ is not None and open_.lane == lane:
                del self._lanes[lane.partition]
        if open_ is not None and open_.lane == lane:
            open_.close()
        return open_ is not None

    def _gauge(self) -> None:
        now = time.monotonic()
        if now - self._gauged_at < GAUGES_S:
            return
        self._gauged_at = now
        for partition, lane in list(self._lanes.items()):
            self.metrics.lag.labels(str(partition)).set(lane.lag())
            self.metrics.position_age_s.labels(str(partition)).set(lane.age_s())

    def drain(self) -> None:
        """Stops reading; the bundle under way is committed, or read again after the next start."""
        self.stopping.set()

    def close(self) -> None:
        """Closes the lanes."""
        with self._lock:
            lanes, self._lanes = list(self._lanes.values()), {}
        for lane in lanes:
            lane.close()


def join_batches(batches: Sequence[Batch]) -> Batch:
    """One batch of consecutive ones of the same lane.

    Raises:
        MovedError: they do not follow each other.
    """
    first, last = batches[0], batches[-1]
    for earlier, later in pairwise(batches):
        if earlier.to_offset != later.from_offset:
            raise MovedError("Batches do not follow each other.", value=later.from_offset)
    records = tuple(record for batch in batches for record in batch.records)
    return Batch(first.lane, first.from_offset, last.to_offset, records)
