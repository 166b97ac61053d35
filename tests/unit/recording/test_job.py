"""What becomes of a bundle that fails; lanes and recorders are doubles."""

import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from distributary.errors import UnavailableError
from distributary.recording import job as job_module
from distributary.recording.job import RecordingJob, join_batches
from distributary.recording.records import Batch, Lane
from distributary.store.lanes import MovedError, SupersededError
from tests.signed_answers import record


class LaneDouble:
    """Hands out the batches it was given."""

    def __init__(self, generation: int) -> None:
        self.lane = Lane("topic", 1, 0, generation)
        self.closed = False
        self.commits: list[int] = []

    def poll(self) -> Batch:
        return Batch(self.lane, 0, 1, (record(0, b"x"),))

    def committed(self, offset: int) -> None:
        self.commits.append(offset)

    def lag(self) -> int:
        return 0

    def age_s(self) -> float:
        return 0.0

    def close(self) -> None:
        self.closed = True


class RecorderDouble:
    """Fails as told, one error for each bundle."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)

    def record(self, batch: Batch) -> Any:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        return SimpleNamespace(counts={"charged": len(batch.records)})


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[LaneDouble]:
    monkeypatch.setattr(job_module, "REOPEN_S", 0.0)
    return []


@pytest.fixture
def job(lanes: list[LaneDouble]) -> RecordingJob:
    def open_lane(partition: int) -> Any:
        lanes.append(LaneDouble(len(lanes) + 1))
        return lanes[-1]

    return RecordingJob(open_lane, RecorderDouble, failures_max=3)  # type: ignore[arg-type]


def turn(job: RecordingJob, *errors: Exception | None) -> None:
    """One bundle of one batch."""
    batch = job.poll(0)
    assert batch is not None
    job.commit(RecorderDouble(*errors), [batch])  # type: ignore[arg-type]


def test_commit__good_bundles__keep_the_lane_open(
    job: RecordingJob, lanes: list[LaneDouble]
) -> None:
    turn(job)
    turn(job)

    assert len(lanes) == 1
    assert lanes[0].commits == [1, 1]


@pytest.mark.parametrize("error", [MovedError("moved"), RuntimeError("a defect")])
def test_commit__bundle_fails__lane_is_opened_anew_and_the_job_goes_on(
    job: RecordingJob, lanes: list[LaneDouble], error: Exception
) -> None:
    turn(job, error)
    turn(job)

    assert [lane.closed for lane in lanes] == [True, False]
    assert lanes[1].commits == [1]


def test_commit__fails_again_and_again__surfaces(
    job: RecordingJob, lanes: list[LaneDouble]
) -> None:
    turn(job, RuntimeError("1"))
    turn(job, RuntimeError("2"))
    with pytest.raises(RuntimeError, match="3"):
        turn(job, RuntimeError("3"))

    assert isinstance(job.failure, RuntimeError)


def test_commit__fails_now_and_then__does_not_add_up(
    job: RecordingJob, lanes: list[LaneDouble]
) -> None:
    for _ in range(5):
        turn(job, RuntimeError("once"))
        turn(job)

    assert job.failure is None


def test_commit__superseded__stops_at_once(job: RecordingJob, lanes: list[LaneDouble]) -> None:
    with pytest.raises(SupersededError):
        turn(job, SupersededError("another has it"))

    assert isinstance(job.failure, SupersededError)


def test_commit__lane_not_open_in_this_process__surfaces(job: RecordingJob) -> None:
    batch = LaneDouble(9).poll()
    with pytest.raises(MovedError):
        job.commit(RecorderDouble(MovedError("moved")), [batch])  # type: ignore[arg-type]


def test_commit__fails_while_stopping__is_left_for_the_next_start(
    job: RecordingJob, lanes: list[LaneDouble]
) -> None:
    batch = job.poll(0)
    assert batch is not None
    job.drain()
    job.commit(RecorderDouble(OSError("away")), [batch])  # type: ignore[arg-type]

    assert job.failure is None
    assert job.poll(0) is None


def test_poll__servers_away__waits_without_failing() -> None:
    def away(partition: int) -> Any:
        raise UnavailableError("away")

    assert RecordingJob(away, RecorderDouble).poll(0) is None  # type: ignore[arg-type]


def test_join_batches__hole_between__is_refused() -> None:
    lane = Lane("topic", 1, 0, 1)
    joined = join_batches([Batch(lane, 0, 2, ()), Batch(lane, 2, 5, ())])
    assert (joined.from_offset, joined.to_offset) == (0, 5)
    with pytest.raises(MovedError):
        join_batches([Batch(lane, 0, 2, ()), Batch(lane, 3, 5, ())])


def test_poll__two_readers_of_one_partition__open_one_lane(lanes: list[LaneDouble]) -> None:
    both = threading.Barrier(2)

    def open_lane(partition: int) -> Any:
        lanes.append(LaneDouble(len(lanes) + 1))
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # a second reader that opens as well would come here too
        return lanes[0]

    job = RecordingJob(open_lane, RecorderDouble)  # type: ignore[arg-type]
    readers = [threading.Thread(target=job.poll, args=(0,)) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert [lane.lane.generation for lane in lanes] == [1]
