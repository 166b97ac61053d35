"""Committing bundles of answers: the DoFn only buffers, `distributary.recording` does the rest."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apache_beam as beam

from distributary.recording.records import Batch
from transforms.answers_source import recording_job

if TYPE_CHECKING:
    from distributary.recording.recorder import Recorder


class CommitBundles(beam.DoFn):
    """Buffers the batches of a bundle and commits them when it ends."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._batches: list[Batch] = []
        self._recorder: Recorder | None = None

    def start_bundle(self) -> None:
        """Forgets what a bundle that broke off had buffered."""
        self._batches = []

    def process(self, element: Batch) -> None:
        """Buffers a batch."""
        self._batches.append(element)

    def finish_bundle(self) -> None:
        """Commits.

        Raises:
            SupersededError: another process has taken over.
            Exception: the lane failed too often in a row.
        """
        batches, self._batches = self._batches, []
        if not batches:
            return
        job = recording_job(self._job)
        if self._recorder is None:
            self._recorder = job.make_recorder()
        job.commit(self._recorder, batches)

    def teardown(self) -> None:
        """Closes the connection to Postgres."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None


@dataclass
class RecordAnswers(beam.PTransform[Any, Any]):
    """Records batches of answers: charges, attributes and commits them.

    Attributes:
        job: a name given to `register_job` in every worker.
    """

    job: str

    def expand(self, batches: Any) -> Any:
        """One commit per bundle; nothing comes out."""
        return batches | "Commit bundles" >> beam.ParDo(CommitBundles(self.job))
