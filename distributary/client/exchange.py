"""The edge of the client: one producer of requests, one reader of the answers waited for."""

import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from concurrent.futures import Future, InvalidStateError
from typing import Any, Final

from distributary.answers import Answer, read_answer
from distributary.client.signed import SignedRequest
from distributary.errors import InputError, UnavailableError
from distributary.identity import partition_of
from distributary.kafka import (
    admin,
    consumer_config,
    count_partitions,
    end_offset,
    producer_config,
)
from distributary.settings import Settings
from distributary.topics import ANSWERS, REQUESTS

log = logging.getLogger(__name__)

POLL_S: Final = 0.02
BATCH_MAX: Final = 1_000
KAFKA_S_MAX: Final = 10.0
QUEUE_S_MAX: Final = 30.0


class Handle:
    """A request under way; whoever drops it waits no more.

    Attributes:
        signed: the request; sending it again is the same purchase.
        future: the answer, of any status.
    """

    def __init__(self, signed: SignedRequest) -> None:
        self.signed = signed
        self.future: Future[Answer] = Future()

    @property
    def request_hash(self) -> str:
        """What `distributary trace` finds it by; hex."""
        return self.signed.request_hash

    def settle(self, answer: Answer) -> None:
        """Gives the answer to whoever waits; the first one stands."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Gives whoever waits an error."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


class Exchange:
    """Sends signed requests and matches answers by request hash; safe from any thread.

    Of the answers it reads only the partitions of the requests it waits for, from the end offset
    taken before the first of them was sent. A partition on which nothing is waited for any more is
    let go when somebody else's answer arrives there.

    Raises:
        UnavailableError: Kafka does not answer.
        InputError: `bad_topic`: a topic is missing.
    """

    def __init__(self, settings: Settings) -> None:
        from confluent_kafka import Consumer, Producer

        self._settings = settings
        self._requests = settings.topic_prefix + REQUESTS
        self._answers = settings.topic_prefix + ANSWERS
        counted = count_partitions(settings, [self._requests, self._answers])
        self._request_partitions = counted[self._requests]
        self._answer_partitions = counted[self._answers]
        self._producer = Producer(producer_config(settings, "distributary-client"))
        self._admin = admin(settings)
        self._consumer = Consumer(
            consumer_config(settings, "distributary-client", "distributary-client")
            | {"fetch.wait.max.ms": 100, "auto.offset.reset": "earliest"}
        )
        self._lock = threading.Lock()
        self._waiting: weakref.WeakValueDictionary[str, Handle] = weakref.WeakValueDictionary()
        self._by_partition: dict[int, weakref.WeakSet[Handle]] = {}
        # The reader alone calls the consumer: its calls exclude one another, and one made beside a
        # polling thread can wait for minutes.
        self._opened: deque[tuple[int, int]] = deque()
        self._assigned: set[int] = set()
        self._work = threading.Event()
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, name="answers", daemon=True)
        self._reader.start()

    def submit(self, signed: SignedRequest) -> Handle:
        """Sends a request, for the first time or again.

        Raises:
            UnavailableError: Kafka does not answer, or takes no more.
            InputError: the request is larger than the job reads.
        """
        headers, value = signed.record()
        if len(value) > self._settings.request_bytes_max:
            raise InputError(
                f"The request is over the limit of {self._settings.request_bytes_max} bytes.",
                value=len(value),
                code="oversize",
            )
        handle = self._expect(signed)
        self._produce(handle, headers, value)
        return handle

    def _expect(self, signed: SignedRequest) -> Handle:
        partition = partition_of(signed.request_hash, self._answer_partitions)
        with self._lock:
            if partition not in self._by_partition:
                self._open(partition)
            handle = self._waiting.get(signed.request_hash)
            if handle is None or handle.future.done():
                handle = Handle(signed)
                self._waiting[signed.request_hash] = handle
                self._by_partition[partition].add(handle)
        return handle

    def _open(self, partition: int) -> None:
        end = end_offset(self._settings, self._admin, self._answers, partition)
        self._opened.append((partition, end))
        self._by_partition[partition] = weakref.WeakSet()
        self._work.set()

    def _produce(self, handle: Handle, headers: Any, value: bytes) -> None:
        def delivered(error: Any, _message: Any) -> None:
            if error is not None:
                handle.fail(UnavailableError(f"Kafka did not take the request: {error.str()}."))

        deadline = time.monotonic() + QUEUE_S_MAX
        while True:
            try:
                self._producer.produce(
                    self._requests,
                    key=handle.request_hash,
                    value=value,
                    headers=headers,
                    partition=partition_of(handle.request_hash, self._request_partitions),
                    on_delivery=delivered,
                )
                return
            except BufferError as error:
                if time.monotonic() > deadline:
                    raise UnavailableError("Kafka takes no more requests.") from error
                self._producer.poll(POLL_S)

    def _read(self) -> None:
        try:
            self._read_until_closed()
        except Exception as error:
            self._fail(UnavailableError(f"The reader of answers failed: {error!r}."))
            raise

    def _read_until_closed(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0)
            if not self._assign():
                self._work.wait(POLL_S)
                continue
            first = self._consumer.poll(POLL_S)
            if first is None:
                continue
            for message in (first, *self._consumer.consume(BATCH_MAX, 0)):
                self._take(message)

    def _assign(self) -> bool:
        """Begins to read partitions opened since; returns whether there is any to read."""
        from confluent_kafka import TopicPartition

        self._work.clear()
        while self._opened:
            partition, end = self._opened.popleft()
            if partition in self._assigned:
                self._consumer.incremental_unassign([TopicPartition(self._answers, partition)])
            self._consumer.incremental_assign([TopicPartition(self._answers, partition, end)])
            self._assigned.add(partition)
        return bool(self._assigned)

    def _take(self, message: Any) -> None:
        if message.error():
            self._report(message.error())
            return
        with self._lock:
            handle = self._waiting.get((message.key() or b"").decode("ascii", "replace"))
        if handle is None:
            self._let_go(message.partition())
            return
        try:
            answer = read_answer(message.value() or b"")
        except InputError as error:
            log.warning({"msg": "an answer cannot be read", "error": str(error)})
            return
        if answer.request_hash == handle.request_hash:
            self._settle(handle, message.partition(), answer)

    def _settle(self, handle: Handle, partition: int, answer: Answer) -> None:
        with self._lock:
            self._by_partition[partition].discard(handle)
            if self._waiting.get(handle.request_hash) is handle:
                del self._waiting[handle.request_hash]
        handle.settle(answer)

    def _let_go(self, partition: int) -> None:
        from confluent_kafka import TopicPartition

        with self._lock:
            if partition not in self._assigned or self._by_partition.get(partition):
                return
            self._by_partition.pop(partition, None)
        self._consumer.incremental_unassign([TopicPartition(self._answers, partition)])
        self._assigned.discard(partition)

    def _report(self, error: Any) -> None:
        """Fails what is waited for where the client library will not mend it by itself."""
        if error.fatal() or error.code() > 0:
            self._fail(UnavailableError(f"Answers cannot be read: {error.str()}."))
        else:
            log.info({"msg": "Kafka is away", "error": error.str()})

    def _fail(self, error: UnavailableError) -> None:
        with self._lock:
            waiting = list(self._waiting.values())
        for handle in waiting:
            handle.fail(error)

    def partitions(self) -> set[int]:
        """The partitions of answers that are read now."""
        with self._lock:
            return set(self._by_partition)

    def close(self) -> None:
        """Sends what is queued and stops reading."""
        if not self._closed.is_set():
            self._closed.set()
            self._reader.join()
            self._producer.flush(KAFKA_S_MAX)
            self._consumer.close()
