"""The attribution job's source: one branch per partition, elements are batches of answers.

A reader holds nothing. It asks the process's `RecordingJob` for the lane each time, since Beam's
own reader cache is per DoFn instance, several bundle processors take turns, and a failed bundle
replaces its lane. Where to read from is decided by Postgres alone, so marks say nothing.
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
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp

from distributary.recording.job import RecordingJob
from distributary.recording.records import Batch

# How long an idle partition waits for its next bundle: four idle ones cost 0.19 core at 0.25 s.
POLL_S = 0.5
# Batches of one bundle, so of one transaction: after a pause of the job they are full ones.
BATCHES_MAX = 2

_lock = threading.Lock()
_jobs: dict[str, RecordingJob] = {}
_makers: dict[str, Callable[[], RecordingJob]] = {}
_draining = threading.Event()


def register_job(name: str, make: Callable[[], RecordingJob]) -> None:
    """Tells this process how to make the job that sources name; made when first read from."""
    _makers[name] = make


def recording_job(name: str) -> RecordingJob:
    """The job of this process by its name, made at the first call.

    A worker process on a cluster knows no job yet: the name is then that of the module which
    registers it when it is imported.

    Raises:
        ImportError: nothing was registered under that name, and it is no module.
    """
    with _lock:
        if name not in _jobs:
            if name not in _makers:
                import_module(name)
            _jobs[name] = _makers[name]()
            if _draining.is_set():
                _jobs[name].drain()
        return _jobs[name]


def drain_jobs() -> None:
    """Drains the jobs of this process, those that are made later included."""
    _draining.set()
    with _lock:
        for made in _jobs.values():
            made.drain()


def failures() -> list[Exception]:
    """What made the jobs of this process fail."""
    with _lock:
        return [made.failure for made in _jobs.values() if made.failure is not None]


class NoMark(CheckpointMark):
    """Says nothing: Postgres knows where reading goes on."""


class AnswersReader(UnboundedReader):
    """Reads a partition through the lane that is open in this process."""

    def __init__(self, source: "AnswersSource") -> None:
        self._source = source
        self._current: Batch | None = None

    def start(self) -> bool:
        """As `advance`."""
        return self.advance()

    def advance(self) -> bool:
        """Takes the next batch, if one is ripe."""
        job = recording_job(self._source.job)
        self._current = job.poll(self._source.partition)
        return self._current is not None

    def get_current(self) -> Batch | None:
        """The batch."""
        return self._current

    def get_current_timestamp(self) -> Timestamp:
        """Now: nothing downstream uses event time."""
        return Timestamp.now()

    def get_watermark(self) -> Timestamp:
        """Now, and the end of time once the job is drained: the runner then ends the branch."""
        stopping = recording_job(self._source.job).stopping.is_set()
        return MAX_TIMESTAMP if stopping else Timestamp.now()

    def get_checkpoint_mark(self) -> NoMark:
        """Nothing."""
        return NoMark()


@dataclass
class AnswersSource(UnboundedSource):
    """One partition of answers. Tiny, since it is stored with every checkpoint."""

    job: str
    partition: int

    def split(self, _splits: int, _options: Any = None) -> list["AnswersSource"]:
        """A lane is one partition."""
        return [self]

    def create_reader(self, _options: Any, _mark: CheckpointMark | None) -> AnswersReader:
        """A reader of whatever lane is open."""
        return AnswersReader(self)

    def get_checkpoint_mark_coder(self) -> Coder:
        """Marks are empty."""
        return PickleCoder()


@dataclass
class ReadAnswers(beam.PTransform[Any, Any]):
    """Batches of answers of all partitions, each in a stage of its own down to the commit.

    Attributes:
        job: a name given to `register_job` in every worker.
        partition: the partition.
    """

    job: str
    partition: int

    def expand(self, pbegin: Any) -> Any:
        """Reads one partition."""
        return pbegin | f"Read partition {self.partition}" >> ReadFromUnboundedSource(
            AnswersSource(self.job, self.partition),
            poll_interval=POLL_S,
            max_records_per_bundle=BATCHES_MAX,
        )
