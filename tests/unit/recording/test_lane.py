"""When a lane hands out a batch, and what it does when it is closed; the consumer is a double."""

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError

from distributary.errors import DistributaryError
from distributary.recording.lane import AnswersLane, Ripeness, read_message
from distributary.recording.records import Lane

LANE = Lane("topic-id", 1, 3, 7)


class ConsumerDouble:
    """Hands out the messages it was given."""

    def __init__(self) -> None:
        self.messages: deque[Any] = deque()
        self.commits: list[int] = []
        self.high = 0
        self.closed = False

    def add(self, *offsets: int, size: int = 1) -> None:
        for offset in offsets:
            self.messages.append(message(offset, size))
            self.high = offset + 1

    def assign(self, partitions: list[Any]) -> None:
        self.assigned = [(p.topic, p.partition, p.offset) for p in partitions]

    def consume(self, count: int, timeout: float) -> list[Any]:
        assert timeout == 0
        return [self.messages.popleft() for _ in range(min(count, len(self.messages)))]

    def get_watermark_offsets(self, partition: Any, cached: bool) -> tuple[int, int]:
        return 0, self.high

    def commit(self, offsets: list[Any], asynchronous: bool) -> None:
        self.commits += [each.offset for each in offsets]

    def close(self) -> None:
        assert not self.closed
        self.closed = True


def message(offset: int, size: int = 1, error: Any = None, headers: Any = None) -> Any:
    return SimpleNamespace(
        error=lambda: error,
        offset=lambda: offset,
        headers=lambda: headers,
        timestamp=lambda: (2, 1000 + offset),
        value=lambda: b"x" * size,
    )


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def consumer() -> ConsumerDouble:
    return ConsumerDouble()


@pytest.fixture
def lane(consumer: ConsumerDouble, clock: Clock) -> AnswersLane:
    ripeness = Ripeness(2.0, records_max=4, bytes_max=1000)
    return AnswersLane(consumer, "answers", LANE, 10, ripeness, clock)  # type: ignore[arg-type]


def test_open__begins_where_postgres_says(lane: AnswersLane, consumer: ConsumerDouble) -> None:
    assert consumer.assigned == [("answers", 3, 10)]


def test_poll__nothing_there__gives_nothing(lane: AnswersLane) -> None:
    assert lane.poll() is None


def test_poll__records_younger_than_a_bundle__waits_for_more(
    lane: AnswersLane, consumer: ConsumerDouble, clock: Clock
) -> None:
    consumer.add(10)
    assert lane.poll() is None
    clock.now = 1.9
    consumer.add(12)
    assert lane.poll() is None
    clock.now = 2.0
    batch = lane.poll()

    assert batch is not None
    assert (batch.from_offset, batch.to_offset) == (10, 13)
    assert [record.offset for record in batch.records] == [10, 12]
    assert lane.next_offset == 13


def test_poll__full_batch__goes_at_once_and_the_next_follows_it(
    lane: AnswersLane, consumer: ConsumerDouble
) -> None:
    consumer.add(10, 11, 12, 13)
    first = lane.poll()
    consumer.add(14, 15, 16, 17)
    second = lane.poll()

    assert first is not None
    assert second is not None
    assert (first.to_offset, second.from_offset, second.to_offset) == (14, 14, 18)


def test_poll__large_records__go_at_once(lane: AnswersLane, consumer: ConsumerDouble) -> None:
    consumer.add(10, size=1000)
    assert lane.poll() is not None


def test_poll__passing_error__is_left_to_the_library(
    lane: AnswersLane, consumer: ConsumerDouble
) -> None:
    consumer.messages.append(message(0, error=KafkaError(KafkaError._ALL_BROKERS_DOWN)))
    assert lane.poll() is None


@pytest.mark.parametrize("code", [KafkaError._AUTO_OFFSET_RESET, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_poll__lasting_error__is_a_named_stop(
    lane: AnswersLane, consumer: ConsumerDouble, code: int
) -> None:
    consumer.messages.append(message(0, error=KafkaError(code)))
    with pytest.raises(DistributaryError, match="cannot be read at offset 10"):
        lane.poll()


def test_committed__tells_kafka_and_lowers_the_lag(
    lane: AnswersLane, consumer: ConsumerDouble, clock: Clock
) -> None:
    consumer.add(10, 11, 12, 13)
    lane.poll()
    clock.now = 5.0
    assert (lane.lag(), lane.age_s()) == (4, 5.0)
    lane.committed(14)

    assert (lane.lag(), lane.age_s()) == (0, 0.0)
    assert consumer.commits == [14]


def test_close__twice_and_then_used__does_nothing(
    lane: AnswersLane, consumer: ConsumerDouble
) -> None:
    lane.close()
    lane.close()
    lane.committed(12)

    assert lane.poll() is None
    assert consumer.closed
    assert consumer.commits == []


def test_traceparent__header__travels_with_the_record(
    lane: AnswersLane, consumer: ConsumerDouble, clock: Clock
) -> None:
    consumer.messages.append(message(10, headers=[("ce_traceparent", b"00-ab-cd-01")]))
    lane.poll()
    clock.now = 9.0
    batch = lane.poll()

    assert batch is not None
    assert batch.records[0].traceparent == "00-ab-cd-01"


def test_headers__name_that_is_not_utf8__is_read_without_them() -> None:
    def headers() -> None:
        raise SystemError("returned a result with an exception set")

    spoilt = message(5)
    spoilt.headers = headers

    assert read_message(spoilt).traceparent is None


@pytest.mark.parametrize("given", [b"", b"\0", b"00-\xff", b"0" * 65, None])
def test_traceparent__something_else__is_dropped(given: bytes | None) -> None:
    assert read_message(message(5, headers=[("ce_traceparent", given)])).traceparent is None
