"""Following the answers topic from its end, for a person who looks on."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from distributary.answers import Answer, Status, read_answer
from distributary.errors import InputError, UnavailableError
from distributary.kafka import admin, consumer_config, count_partitions, end_offset
from distributary.settings import Settings
from distributary.topics import ANSWERS

POLL_S: Final = 0.2


@dataclass(frozen=True)
class Wanted:
    """Which answers to show; None: all.

    Attributes:
        account: address.
        status: of the answer.
    """

    account: str | None = None
    status: Status | None = None

    def takes(self, answer: Answer) -> bool:
        """Whether `answer` is to be shown."""
        return self.account in (None, answer.account) and self.status in (None, answer.status)


@dataclass(frozen=True)
class Seen:
    """An answer where it stands on `inference.answers`; `at_ms` is its `LogAppendTime`."""

    partition: int
    offset: int
    at_ms: int
    answer: Answer


def follow(
    settings: Settings, wanted: Wanted, stop: threading.Event, *, from_start: bool = False
) -> Iterator[Seen]:
    """Yields answers as they come, until `stop` is set.

    Args:
        settings: endpoints.
        wanted: which.
        stop: ends it.
        from_start: begin with the oldest that Kafka holds.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: the topic is missing.
    """
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    topic, client = settings.topic_prefix + ANSWERS, admin(settings)
    places = [
        TopicPartition(
            topic,
            partition,
            OFFSET_BEGINNING if from_start else end_offset(settings, client, topic, partition),
        )
        for partition in range(count_partitions(settings, [topic])[topic])
    ]
    consumer = Consumer(
        consumer_config(settings, "distributary-tail", "distributary-tail")
        | {"auto.offset.reset": "earliest"}
    )
    consumer.assign(places)
    try:
        while not stop.is_set():
            message = consumer.poll(POLL_S)
            seen = None if message is None else _read(message)
            if seen is not None and wanted.takes(seen.answer):
                yield seen
    finally:
        consumer.close()


def _read(message: Any) -> Seen | None:
    error = message.error()
    if error is not None:
        if error.fatal() or error.code() > 0:
            raise UnavailableError(f"Answers cannot be read: {error.str()}.")
        return None
    try:
        answer = read_answer(message.value() or b"")
    except InputError:
        return None
    return Seen(message.partition(), message.offset(), message.timestamp()[1], answer)
