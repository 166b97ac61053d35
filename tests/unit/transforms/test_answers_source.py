"""The source between Beam and the job of the process; the job is a double."""

import pickle
import sys
from types import ModuleType
from typing import Any

import pytest
from apache_beam.utils.timestamp import MAX_TIMESTAMP

from distributary.recording.records import Batch, Lane
from transforms import answers_source
from transforms.answers_source import AnswersSource, recording_job, register_job

BATCH = Batch(Lane("topic", 1, 2, 1), 0, 1, ())


class JobDouble:
    """Hands out one batch."""

    failure = None

    def __init__(self) -> None:
        import threading

        self.stopping = threading.Event()
        self.batches: list[Batch | None] = [BATCH, None]

    def poll(self, partition: int) -> Batch | None:
        assert partition == 2
        return self.batches.pop(0)

    def drain(self) -> None:
        self.stopping.set()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_source, "_jobs", {})
    monkeypatch.setattr(answers_source, "_makers", {})


def test_reader__batch_then_nothing__says_so_and_goes_on() -> None:
    job: Any = JobDouble()
    register_job("job", lambda: job)
    reader = AnswersSource("job", 2).create_reader(None, None)

    assert reader.start() is True
    assert reader.get_current() == BATCH
    assert reader.advance() is False
    assert reader.get_watermark() < MAX_TIMESTAMP


def test_reader__job_drained__ends_the_branch() -> None:
    job: Any = JobDouble()
    register_job("job", lambda: job)
    reader = AnswersSource("job", 2).create_reader(None, None)
    job.drain()

    assert reader.get_watermark() == MAX_TIMESTAMP


def test_source__as_stored_with_every_checkpoint__is_tiny() -> None:
    assert len(pickle.dumps(AnswersSource("pipelines.attribution", 2))) < 200


def test_recording_job__worker_that_knows_none__imports_the_module_that_registers_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job: Any = JobDouble()
    monkeypatch.setattr(
        answers_source,
        "import_module",
        lambda name: register_job(name, lambda: job),
    )

    assert recording_job("pipelines.attribution") is job


def test_pipeline_module__imported__registers_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name == "pipelines.attribution"]:
        monkeypatch.delitem(sys.modules, name)
    import pipelines.attribution as module

    assert isinstance(module, ModuleType)
    assert module.__name__ == module.JOB
    assert module.JOB in answers_source._makers
