"""The recorder's patience and its weighing; Postgres and Triton are doubles."""

import json
import threading
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from distributary.attribution.method import METHOD
from distributary.errors import UnavailableError
from distributary.recording.recorder import Recorder
from distributary.recording.records import Bundle, Lane, SetAside
from distributary.recording.weights import Question, Reply
from distributary.store.commit import Committer, MethodChangedError
from distributary.store.lanes import CommittedError, MovedError, SupersededError
from tests.signed_answers import DOCUMENTS, Customer, batch, eight_weights, judge

LANE = Lane("topic", 1, 0, 1)
CUSTOMER = Customer()


class Rows(list[Any]):
    """A result."""

    def fetchone(self) -> Any:
        return self[0]


class ConnectionDouble:
    """Knows one session key and one open epoch."""

    closed = False
    method = METHOD

    def execute(self, statement: str, values: Any = ()) -> Rows:
        if "delegations" in statement:
            return Rows([(CUSTOMER.account, CUSTOMER.public, 2**40)])
        if "epochs" in statement:
            return Rows([(1, self.method)])
        return Rows((document, number) for number, document in enumerate(DOCUMENTS))

    @contextmanager
    def transaction(self) -> Any:
        yield

    def close(self) -> None:
        self.closed = True


class Clock(threading.Event):
    """Time that passes only while somebody waits; it never stops anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.pauses_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.now_s += timeout
        self.pauses_s.append(timeout)
        return False


@dataclass
class World:
    """What the recorder works with, and how often."""

    commit_errors: list[Exception] = field(default_factory=list)
    connect_errors: list[Exception] = field(default_factory=list)
    attribute_errors: list[Exception] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    bundles: list[Bundle] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    connections: list[ConnectionDouble] = field(default_factory=list)
    method: str = METHOD
    clock: Clock = field(default_factory=Clock)
    postgres_back_s: float = 0.0

    def connect(self) -> Any:
        if self.clock.now_s < self.postgres_back_s:
            raise UnavailableError("Postgres does not answer")
        if self.connect_errors:
            raise self.connect_errors.pop(0)
        self.connections.append(ConnectionDouble())
        self.connections[-1].method = self.method
        return self.connections[-1]

    def commit(self, connection: Any, bundle: Bundle) -> Any:
        self.bundles.append(bundle)
        if self.commit_errors:
            raise self.commit_errors.pop(0)
        return "committed"

    def attribute(self, questions: Sequence[Question]) -> list[Reply]:
        if self.attribute_errors:
            raise self.attribute_errors.pop(0)
        self.asked += questions
        return self.replies or [reply()] * len(questions)


def reply(**changes: Any) -> Reply:
    weights = eight_weights()
    given = {"method": METHOD, "commons": weights.commons, "weights": weights.documents}
    return Reply(json.dumps(given | changes), "")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(Committer, "commit", lambda _self, *given: world.commit(*given))
    return world


@pytest.fixture
def recorder(world: World, tmp_path: Path) -> Recorder:
    return Recorder(
        world.connect,
        judge(),
        Committer(tmp_path, {}, lambda: "name"),
        world.attribute,
        lambda documents: dict.fromkeys(documents, "text"),
        stopping=world.clock,
        clock=lambda: world.clock.now_s,
    )


GIVEN = batch(LANE, 0, [CUSTOMER.answer(0), CUSTOMER.refused(1), b"rubbish", CUSTOMER.answer(3)])


def test_record__good_bundle__weighs_charged_answers_only(recorder: Recorder, world: World) -> None:
    assert recorder.record(GIVEN) == "committed"  # type: ignore[comparison-overlap]

    (bundle,) = world.bundles
    assert [each.weights is not None for each in bundle.weighed] == [True, False, True]
    assert [each.reason for each in bundle.quarantined] == [SetAside.UNREADABLE]
    assert [question.answer for question in world.asked] == ["answer 0", "answer 3"]


def test_record__answer_without_datanet__goes_to_commons_unasked(
    recorder: Recorder, world: World
) -> None:
    bare = CUSTOMER.answer(0, datanet=None, manifest_hash=None, passages=None)
    recorder.record(batch(LANE, 0, [bare]))

    weights = world.bundles[0].weighed[0].weights
    assert weights is not None
    assert (weights.commons, weights.documents, weights.method) == (10**9, (), METHOD)
    assert world.asked == []


@pytest.mark.parametrize("kind", ["connect_errors", "attribute_errors", "commit_errors"])
@pytest.mark.parametrize(
    "error",
    [psycopg.OperationalError("away"), UnavailableError("away"), OSError("disk full")],
)
def test_record__something_is_away_for_a_while__is_waited_for(
    recorder: Recorder, world: World, kind: str, error: Exception
) -> None:
    getattr(world, kind).extend([error, error, error])

    assert recorder.record(GIVEN) == "committed"  # type: ignore[comparison-overlap]


def test_record__postgres_lost__connects_anew(recorder: Recorder, world: World) -> None:
    world.commit_errors.append(psycopg.OperationalError("server closed the connection"))
    recorder.record(GIVEN)

    assert [connection.closed for connection in world.connections] == [True, False]


def test_record__postgres_away_for_five_minutes__is_committed_seconds_after_it_is_back(
    recorder: Recorder, world: World
) -> None:
    world.postgres_back_s = 300.0

    assert recorder.record(GIVEN) == "committed"  # type: ignore[comparison-overlap]
    assert 300.0 <= world.clock.now_s <= 300.0 + 5.0
    assert len(world.bundles) == 1


def test_record__postgres_stays_away__tries_every_few_seconds_and_gives_up_after_fifteen_minutes(
    recorder: Recorder, world: World
) -> None:
    world.postgres_back_s = float("inf")
    with pytest.raises(UnavailableError, match="Postgres does not answer"):
        recorder.record(GIVEN)

    assert 900.0 < world.clock.now_s <= 900.0 + 5.0
    assert world.clock.pauses_s[0] <= 0.1
    assert max(world.clock.pauses_s) <= 5.0
    assert len(world.clock.pauses_s) < 900


def test_record__next_bundle_after_a_long_wait__has_fifteen_minutes_of_its_own(
    recorder: Recorder, world: World
) -> None:
    world.postgres_back_s = 800.0
    recorder.record(GIVEN)
    recorder.close()
    world.postgres_back_s = 1600.0

    assert recorder.record(GIVEN) == "committed"  # type: ignore[comparison-overlap]


def test_record__away_beyond_the_limit__raises(recorder: Recorder, world: World) -> None:
    recorder.wait_s_max = 0.0
    world.commit_errors += [OSError("disk full")] * 1000
    with pytest.raises(OSError, match="disk full"):
        recorder.record(GIVEN)


def test_record__stopping__does_not_wait(recorder: Recorder, world: World) -> None:
    recorder.stopping = threading.Event()
    recorder.stopping.set()
    world.commit_errors += [OSError("disk full")] * 2
    with pytest.raises(OSError, match="disk full"):
        recorder.record(GIVEN)

    assert len(world.bundles) == 1


@pytest.mark.parametrize("error", [SupersededError("x"), MovedError("x"), RuntimeError("defect")])
def test_record__what_does_not_pass_by_itself__is_raised_at_once(
    recorder: Recorder, world: World, error: Exception
) -> None:
    world.commit_errors.append(error)
    with pytest.raises(type(error)):
        recorder.record(GIVEN)

    assert len(world.bundles) == 1


def test_record__commit_was_not_heard__counts_as_committed(
    recorder: Recorder, world: World
) -> None:
    world.commit_errors += [psycopg.OperationalError("lost while committing"), CommittedError("x")]
    assert recorder.record(GIVEN) is None


def test_record__past_the_bundle_at_the_first_attempt__has_moved(
    recorder: Recorder, world: World
) -> None:
    world.commit_errors.append(CommittedError("x"))
    with pytest.raises(MovedError):
        recorder.record(GIVEN)


def test_record__epoch_wants_another_method__weighs_again(recorder: Recorder, world: World) -> None:
    world.commit_errors.append(MethodChangedError("x"))
    recorder.record(GIVEN)

    assert len(world.asked) == 4


def test_record__triton_has_another_method_than_the_epoch__waits(
    recorder: Recorder, world: World
) -> None:
    recorder.wait_s_max = 0.0
    world.method = "spans-9"
    with pytest.raises(UnavailableError, match="wants weights by spans-9"):
        recorder.record(GIVEN)

    assert world.bundles == []


def test_record__one_answer_cannot_be_attributed__is_set_aside_alone(
    recorder: Recorder, world: World
) -> None:
    world.replies = [Reply("", "bad_item: odd"), reply()]
    recorder.record(GIVEN)

    (bundle,) = world.bundles
    assert [each.judged.record.offset for each in bundle.weighed] == [1, 3]
    assert {each.record.offset: each.reason for each in bundle.quarantined} == {
        0: SetAside.NOT_ATTRIBUTED,
        2: SetAside.UNREADABLE,
    }


def test_record__no_index__commits_nothing(recorder: Recorder, world: World) -> None:
    recorder.wait_s_max = 0.0
    world.replies = [Reply("", "index_unavailable: being built"), reply()]
    with pytest.raises(UnavailableError):
        recorder.record(GIVEN)

    assert world.bundles == []


def test_record__short_batch_of_replies__is_a_defect_and_commits_nothing(
    recorder: Recorder, world: World
) -> None:
    world.replies = [reply()]
    with pytest.raises(ValueError, match="zip"):
        recorder.record(GIVEN)

    assert world.bundles == []
