"""An independent count of requests, answers and dead letters: plain Kafka and JSON.

It shares no code with the jobs, so that it cannot share their mistakes.
"""

import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

READ_S_MAX = 30.0
POLL_S = 0.2

Where = tuple[int, int]


@dataclass(frozen=True)
class Seen:
    """A record as it stands in a topic."""

    partition: int
    offset: int
    headers: dict[str, bytes]
    value: dict[str, Any]


def _consumer(kafka: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "independent-count",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )


def _ranges(consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
    """Offsets by partition, first and end; one without a leader for now is waited for."""
    until = time.monotonic() + READ_S_MAX
    while True:
        try:
            partitions = consumer.list_topics(topic, timeout=READ_S_MAX).topics[topic].partitions
            return {
                partition: consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=READ_S_MAX
                )
                for partition in partitions
            }
        except KafkaException:
            assert time.monotonic() < until, f"{topic} cannot be read"
            time.sleep(POLL_S)


def read_topic(kafka: str, topic: str) -> list[Seen]:
    """Every record that is in a topic now; its values are JSON objects."""
    consumer = _consumer(kafka)
    try:
        ranges = _ranges(consumer, topic)
        consumer.assign([TopicPartition(topic, p, low) for p, (low, _high) in ranges.items()])
        left = {p: high for p, (low, high) in ranges.items() if low < high}
        seen: list[Seen] = []
        until = time.monotonic() + READ_S_MAX
        while left:
            assert time.monotonic() < until, f"{topic} cannot be read: {left} left"
            message = consumer.poll(POLL_S)
            if message is None or message.error():
                continue
            where = (message.partition(), message.offset())
            if where[1] < left.get(where[0], 0):
                headers = dict(message.headers() or [])
                seen.append(Seen(*where, headers, json.loads(message.value())))
            if where[1] + 1 >= left.get(where[0], 0):
                left.pop(where[0], None)
        return seen
    finally:
        consumer.close()


def end_offsets(kafka: str, topic: str) -> dict[int, int]:
    """The offset after the last record, by partition."""
    consumer = _consumer(kafka)
    try:
        return {p: high for p, (_low, high) in _ranges(consumer, topic).items()}
    finally:
        consumer.close()


def committed_offsets(kafka: str, topic: str, group: str) -> dict[int, int]:
    """What a group has committed, by partition."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=READ_S_MAX).topics[topic].partitions
        asked = [TopicPartition(topic, partition) for partition in partitions]
        return {c.partition: c.offset for c in consumer.committed(asked, timeout=READ_S_MAX)}
    finally:
        consumer.close()


@dataclass
class Books:
    """What stands in the topics of one installation.

    Attributes:
        ends: end offset of the requests, by partition.
        answers: answers by the coordinates of their request.
        dead: dead letters, likewise.
    """

    ends: dict[int, int]
    answers: dict[Where, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    dead: dict[Where, list[Seen]] = field(default_factory=lambda: defaultdict(list))

    @property
    def unanswered(self) -> list[Where]:
        """Request records with neither an answer nor a dead letter (invariant I1)."""
        wanted = [(p, o) for p, end in self.ends.items() for o in range(end)]
        return [where for where in wanted if where not in self.answers and where not in self.dead]

    @property
    def executed(self) -> Counter[str]:
        """How many executed answers stand in the topic, by request hash."""
        return Counter(
            seen.value["request_hash"]
            for each in self.answers.values()
            for seen in each
            if seen.value["status"] == "executed"
        )

    @property
    def executed_again(self) -> int:
        """Executed answers beyond the first of their request hash."""
        return sum(count - 1 for count in self.executed.values())

    def statuses(self) -> Counter[str]:
        """Answers by status, or by code where refused."""
        return Counter(
            seen.value.get("code") or seen.value["status"]
            for each in self.answers.values()
            for seen in each
        )

    def answer(self, partition: int, offset: int) -> dict[str, Any]:
        """The only answer at a request's coordinates."""
        (seen,) = self.answers[(partition, offset)]
        return seen.value

    def letter(self, partition: int, offset: int) -> dict[str, Any]:
        """The only dead letter at a request's coordinates."""
        (seen,) = self.dead[(partition, offset)]
        return seen.value


def count(kafka: str, prefix: str = "") -> Books:
    """Reads all topics of an installation."""
    books = Books(end_offsets(kafka, f"{prefix}inference.requests"))
    for topic, into in (("answers", books.answers), ("dead", books.dead)):
        for seen in read_topic(kafka, f"{prefix}inference.{topic}"):
            into[(seen.value["partition"], seen.value["offset"])].append(seen)
    return books


def count_when_answered(kafka: str, prefix: str = "", limit_s: float = 30.0) -> Books:
    """Counts once every request record has an answer or a dead letter; fails after `limit_s`."""
    until = time.monotonic() + limit_s
    while True:
        books = count(kafka, prefix)
        if not books.unanswered:
            return books
        assert time.monotonic() < until, f"not answered: {books.unanswered[:20]}"
        time.sleep(POLL_S)
