"""Reading one partition of the answers, from where Postgres says and in batches that are ripe."""

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from distributary.errors import DistributaryError
from distributary.recording.records import AnswerRecord, Batch, Lane

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

CONSUME_MAX = 1_000
# Anything else in that header is dropped: it must not keep its record from being stored.
_TRACEPARENT = re.compile(rb"[0-9a-f-]{1,64}")


@dataclass(frozen=True, slots=True)
class Ripeness:
    """When a batch is handed out: so old or so large, whichever comes first."""

    age_s: float
    records_max: int = 5_000
    bytes_max: int = 32 * 1024 * 1024


class AnswersLane:
    """An open lane: a consumer, and the records read of which no batch was made yet."""

    def __init__(
        self,
        consumer: "Consumer",
        topic: str,
        lane: Lane,
        next_offset: int,
        ripeness: Ripeness,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        from confluent_kafka import TopicPartition

        self.lane = lane
        self.next_offset = next_offset
        self.committed_at = now()
        self.committed_offset = next_offset
        self._topic, self._consumer, self._ripeness, self._now = topic, consumer, ripeness, now
        self._pending: list[AnswerRecord] = []
        self._pending_bytes = 0
        self._pending_since = 0.0
        self._high = next_offset
        self._closed = False
        # A consumer is closed from another thread than the one that reads.
        self._lock = threading.Lock()
        self._here = TopicPartition(topic, lane.partition)
        consumer.assign([TopicPartition(topic, lane.partition, next_offset)])

    def poll(self) -> Batch | None:
        """Takes what Kafka has for us, without waiting; a batch once there is a ripe one.

        Raises:
            DistributaryError: `answers_unreadable`: the topic is gone, or the offset is.
        """
        with self._lock:
            if self._closed:
                return None
            while not self._is_full():
                messages = self._consumer.consume(CONSUME_MAX, timeout=0)
                for message in messages:
                    self._take(message)
                if len(messages) < CONSUME_MAX:
                    break
            watermarks = self._consumer.get_watermark_offsets(self._here, cached=True)
            self._high = max(self._high, watermarks[1] if watermarks else 0)
            return self._harvest() if self._is_ripe() else None

    def _take(self, message: "Message") -> None:
        error = message.error()
        if error is not None:
            self._check(error)
            return
        if not self._pending:
            self._pending_since = self._now()
        record = read_message(message)
        self._pending.append(record)
        self._pending_bytes += len(record.value)

    def _check(self, error: Any) -> None:
        """Lets pass what librdkafka mends by itself."""
        from confluent_kafka import KafkaError

        lasting = (
            KafkaError._AUTO_OFFSET_RESET,
            KafkaError.OFFSET_OUT_OF_RANGE,
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError._UNKNOWN_TOPIC,
            KafkaError._UNKNOWN_PARTITION,
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
        )
        if error.fatal() or error.code() in lasting:
            raise DistributaryError(
                f"Partition {self.lane.partition} of {self._topic} cannot be read at offset "
                f"{self.next_offset}: {error.str()}.",
                code="answers_unreadable",
            )

    def _is_full(self) -> bool:
        return (
            len(self._pending) >= self._ripeness.records_max
            or self._pending_bytes >= self._ripeness.bytes_max
        )

    def _is_ripe(self) -> bool:
        if not self._pending:
            return False
        return self._is_full() or self._now() - self._pending_since >= self._ripeness.age_s

    def _harvest(self) -> Batch:
        records, self._pending, self._pending_bytes = tuple(self._pending), [], 0
        batch = Batch(self.lane, self.next_offset, records[-1].offset + 1, records)
        self.next_offset = batch.to_offset
        return batch

    def committed(self, offset: int) -> None:
        """Notes what Postgres has; Kafka is told for the sake of lag monitors only."""
        from confluent_kafka import KafkaException, TopicPartition

        self.committed_at, self.committed_offset = self._now(), offset
        position = TopicPartition(self._topic, self.lane.partition, offset)
        with self._lock, suppress(KafkaException):
            if not self._closed:
                self._consumer.commit(offsets=[position], asynchronous=True)

    def lag(self) -> int:
        """Records in Kafka beyond the committed offset, as of the last fetch."""
        return max(0, self._high - self.committed_offset)

    def age_s(self) -> float:
        """Seconds since the committed offset moved, zero where nothing is ahead of it."""
        return self._now() - self.committed_at if self.lag() else 0.0

    def close(self) -> None:
        """Closes the consumer; records read and not committed are read again by the next one."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._consumer.close()


def read_message(message: "Message") -> AnswerRecord:
    """A record as Kafka gave it."""
    given = _headers(message).get("ce_traceparent") or b""
    traceparent = given.decode() if _TRACEPARENT.fullmatch(given) else None
    _kind, timestamp_ms = message.timestamp()
    offset: Any = message.offset()
    value: Any = message.value() or b""
    return AnswerRecord(offset, max(0, timestamp_ms), traceparent, value)


# confluent-kafka may return headers with an exception pending; a plain call, once Python has
# specialised it, does not look, and the exception would come up somewhere else.
_HEADERS = methodcaller("headers")


def _headers(message: "Message") -> dict[str, Any]:
    """The headers; none where a name is not UTF-8, which confluent-kafka cannot hand out."""
    try:
        return dict(_HEADERS(message) or ())
    except (SystemError, UnicodeDecodeError):
        return {}
