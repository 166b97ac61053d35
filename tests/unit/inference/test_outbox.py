"""Publishing: acknowledged, refused, and with a full queue; the producer is a double."""

import asyncio
import time
from typing import Any

import confluent_kafka
import pytest

from distributary.errors import UnavailableError
from distributary.inference.outbox import Outbox, Outgoing

RECORD = Outgoing("answers", 0, b"key", b"value", [("ce_id", b"1")])


class ProducerDouble:
    """Its queue holds two records; a poll delivers them, with `error`."""

    def __init__(self, error: str | None = None) -> None:
        self.error = error
        self.queue: list[Any] = []
        self.delivered = 0

    def produce(self, topic: str, **record: Any) -> None:
        if len(self.queue) == 2:
            raise BufferError("queue full")
        self.queue.append(record["on_delivery"])

    def poll(self, _timeout_s: float) -> None:
        while self.queue:
            self.delivered += 1
            self.queue.pop(0)(self.error, None)
        time.sleep(0.001)

    def flush(self, _timeout_s: float) -> None:
        """Nothing to wait for."""


def publish(monkeypatch: pytest.MonkeyPatch, double: ProducerDouble, count: int) -> None:
    monkeypatch.setattr(confluent_kafka, "Producer", lambda _config: double)

    async def flow() -> None:
        outbox = Outbox({}, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(20):
                await outbox.publish([RECORD] * count)
        finally:
            outbox.close(1.0)

    asyncio.run(flow())


def test_publish__more_than_the_queue_holds__waits_until_all_are_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    double = ProducerDouble()
    publish(monkeypatch, double, 7)
    assert double.delivered == 7


def test_publish__one_refused__fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="took no answer"):
        publish(monkeypatch, ProducerDouble("refused"), 2)
