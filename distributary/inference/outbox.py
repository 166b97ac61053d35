"""Publishing to Kafka from the event loop: one future per batch, done when all are acknowledged."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from distributary.errors import UnavailableError
from distributary.events import Headers

POLL_S = 0.5
QUEUE_FULL_S = 0.005


class Outgoing(NamedTuple):
    """A record to publish."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


class Outbox:
    """An idempotent producer (`acks=all`) whose acknowledgements are awaited by batch."""

    def __init__(self, config: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        from confluent_kafka import Producer

        self._producer = Producer(config)
        self._loop = loop
        self._closed = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="outbox", daemon=True)
        self._poller.start()

    def _poll(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(POLL_S)

    def publish(self, records: Sequence[Outgoing]) -> "asyncio.Future[None]":
        """Produces the records in order.

        Returns:
            A future that is done when Kafka has acknowledged every one, and failed with
            `UnavailableError` when it has finally refused or not answered for one.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        if not records:
            done.set_result(None)
            return done
        left = len(records)
        failed: str = ""

        def settle() -> None:
            if not done.done():
                if failed:
                    done.set_exception(UnavailableError("Kafka took no answer.", value=failed))
                else:
                    done.set_result(None)

        def delivered(error: object, _message: object) -> None:
            # Runs on the polling thread, one call at a time.
            nonlocal left, failed
            left -= 1
            failed = failed or (str(error) if error else "")
            if left == 0:
                self._loop.call_soon_threadsafe(settle)

        for record in records:
            self._produce(record, delivered)
        return done

    def _produce(self, record: Outgoing, delivered: Callable[[object, object], None]) -> None:
        """Gives one record to librdkafka, whose queue is bounded in bytes; waits while it is full.

        Nothing else could be published meanwhile. The wait ends: what Kafka does not take within
        its time-out fails, and leaves the queue.
        """
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                    on_delivery=delivered,
                )
            except BufferError:
                time.sleep(QUEUE_FULL_S)
            else:
                return

    def close(self, timeout_s: float) -> None:
        """Waits for what is under way, then stops the polling thread."""
        self._producer.flush(timeout_s)
        self._closed.set()
        self._poller.join(timeout_s)
