"""The inference job's source: Beam opens lanes and commits them; the engine beside it serves.

Beam's own reader cache is per DoFn instance, and several bundle processors take turns; a reader
that started again at each turn would read everything again. So a reader adopts the lane that is
open in this process, and closing a reader leaves the lane open.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import apache_beam as beam
from apache_beam.coders import Coder, PickleCoder
from apache_beam.io.unbounded_source import (
    CheckpointMark,
    ReadFromUnboundedSource,
    UnboundedReader,
    UnboundedSource,
)
from apache_beam.metrics import Metrics
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp

from distributary.inference.engine import Engine
from distributary.inference.lane import Lane, LaneAddress

# How long an idle lane waits for its next bundle. Answers do not wait for bundles, so it only
# bounds how far the commit lags; at 0.05 s an idle pipeline costs half a core.
POLL_S = 1.0

_lock = threading.Lock()
_engines: dict[str, Engine] = {}
_makers: dict[str, Callable[[], Engine]] = {}
_draining = threading.Event()


def register_engine(name: str, make: Callable[[], Engine]) -> None:
    """Tells this process how to make the engine that sources name; made when first read from."""
    _makers[name] = make


def engine(name: str) -> Engine:
    """The engine of this process by its name, made at the first call.

    A worker process on a cluster knows no engine yet: the name is then that of the module which
    registers it when it is imported.

    Raises:
        ImportError: nothing was registered under that name, and it is no module.
    """
    with _lock:
        if name not in _engines:
            if name not in _makers:
                import_module(name)
            _engines[name] = _makers[name]()
            if _draining.is_set():
                _engines[name].drain()
        return _engines[name]


def drain_engines() -> None:
    """Drains the engines of this process, those that are made later included."""
    _draining.set()
    with _lock:
        for made in _engines.values():
            made.drain()


@dataclass
class LaneMark(CheckpointMark):
    """The low-water mark of a lane when a bundle ended; finalizing commits it to Kafka."""

    engine: str
    address: LaneAddress
    offset: int

    def finalize_checkpoint(self) -> None:
        """Commits the offset where the lane is still open here; later marks cover earlier ones."""
        lane = engine(self.engine).open_lane(self.address)
        if lane is not None:
            lane.commit(self.offset)


class LaneReader(UnboundedReader):
    """Hands Beam what a lane has finished: counts by outcome, and the low-water mark."""

    def __init__(self, source: "LaneSource", lane: Lane) -> None:
        self._source, self._lane = source, lane
        self._current: dict[str, int] = {}

    def start(self) -> bool:
        """As `advance`."""
        return self.advance()

    def advance(self) -> bool:
        """Takes what finished since the last call.

        Raises:
            DistributaryError: the lane failed; the job fails and is started anew.
        """
        self._lane = engine(self._source.engine).lane(self._source.address, None)
        if self._lane.failure is not None:
            raise self._lane.failure
        self._current = self._lane.take_finished()
        return bool(self._current)

    def get_current(self) -> dict[str, int]:
        """How many records finished, by outcome."""
        return self._current

    def get_current_timestamp(self) -> Timestamp:
        """Now: nothing downstream uses event time."""
        return Timestamp.now()

    def get_watermark(self) -> Timestamp:
        """Now, and the end of time once the lane is drained: the runner then ends the branch.

        Not of a lane that was only abandoned: the runner may come back for it.
        """
        ends = self._lane.drained and engine(self._source.engine).draining
        return MAX_TIMESTAMP if ends else Timestamp.now()

    def get_checkpoint_mark(self) -> LaneMark:
        """The low-water mark."""
        return LaneMark(self._source.engine, self._source.address, self._lane.position)


@dataclass
class LaneSource(UnboundedSource):
    """One partition of requests. Tiny, since it is stored with every checkpoint."""

    engine: str
    address: LaneAddress

    def split(
        self,
        desired_num_splits: int,  # noqa: ARG002
        options: Any = None,  # noqa: ARG002
    ) -> list["LaneSource"]:
        """A lane is one partition."""
        return [self]

    def create_reader(
        self,
        options: Any,  # noqa: ARG002
        checkpoint_mark: LaneMark | None,
    ) -> LaneReader:
        """Adopts the open lane, or opens it at the later of the committed offset and the mark."""
        mark = None if checkpoint_mark is None else checkpoint_mark.offset
        return LaneReader(self, engine(self.engine).lane(self.address, mark))

    def get_checkpoint_mark_coder(self) -> Coder:
        """Marks are three small fields."""
        return PickleCoder()


class CountOutcomes(beam.DoFn):
    """Counts finished records by outcome in Beam's own metrics."""

    def process(self, element: dict[str, int]) -> None:
        """Adds the counts of one element."""
        for outcome, count in element.items():
            Metrics.counter("inference", outcome).inc(count)


@dataclass
class ServeLanes(beam.PTransform):
    """Serves requests: one branch per partition, since a runner reads one source's bundles in turn.

    Attributes:
        engine: a name given to `register_engine` in every worker.
        topic: the requests topic.
        partitions: how many it has.
        group: consumer group that the positions are committed for.
    """

    engine: str
    topic: str
    partitions: int
    group: str

    def expand(self, pbegin: Any) -> Any:
        """One read per partition, flattened."""
        lanes = [
            pbegin
            | f"Serve partition {partition}"
            >> ReadFromUnboundedSource(
                LaneSource(self.engine, LaneAddress(self.topic, partition, self.group)),
                poll_interval=POLL_S,
            )
            for partition in range(self.partitions)
        ]
        return lanes | "Flatten lanes" >> beam.Flatten()
