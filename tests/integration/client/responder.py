"""A double of the inference job: answers what stands on the requests topic, with knobs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from distributary.answers import Answer, Status
from distributary.events import ANSWER_TYPE, Event, write_headers
from distributary.identity import Domain, partition_of
from distributary.kafka import consumer_config, count_partitions, producer_config
from distributary.requests import Request, read_request, verify_signature
from distributary.settings import Settings
from distributary.topics import ANSWERS, REQUESTS

Judge = Callable[[Request, int], list[dict[str, Any]]]


def execute(request: Request, seen: int) -> list[dict[str, Any]]:
    """Answers the first time, replays later."""
    status = Status.EXECUTED if seen == 1 else Status.REPLAYED
    return [
        {
            "status": status,
            "model": request.body["model"],
            "model_version": "1",
            "node": "double",
            "prompt_tokens": 3,
            "answer_tokens": 2,
            "charge_units": "7",
            "price_hash": "0" * 64,
            "split_hash": "1" * 64,
            "text": f"echo {request.body.get('prompt')}",
        }
    ]


@dataclass
class Responder:
    """What the double has read, and how it judges; `judge` may be exchanged at any time.

    While `go` is cleared it answers nothing.
    """

    settings: Settings
    judge: Judge = execute
    values: list[bytes] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    partitions: list[int] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def serve(self, stop: threading.Event) -> None:
        domain = Domain(self.settings.chain_id, self.settings.contract)
        topic = self.settings.topic_prefix + REQUESTS
        counted = count_partitions(self.settings, [topic, self.settings.topic_prefix + ANSWERS])
        producer = Producer(producer_config(self.settings, "double"))
        consumer = Consumer(consumer_config(self.settings, "double", "double"))
        consumer.assign([TopicPartition(topic, p, 0) for p in range(counted[topic])])
        while not stop.is_set():
            producer.poll(0)
            message = consumer.poll(0.05)
            if message is None:
                continue
            while not self.go.wait(0.05):
                if stop.is_set():
                    return
            assert not message.error(), message.error()
            headers = dict(message.headers())
            request = read_request(
                message.value(), headers["ce_source"].decode(), headers["ce_id"].decode(), domain
            )
            hashed = request.purchase.request_hash
            assert verify_signature(hashed, request.key, request.signature)
            assert message.partition() == partition_of(hashed, counted[topic])
            self.values.append(message.value())
            self.seen[hashed] = self.seen.get(hashed, 0) + 1
            for given in self.judge(request, self.seen[hashed]):
                producer.produce(
                    self.settings.topic_prefix + ANSWERS,
                    key=hashed.encode(),
                    value=self.answer(message, request, given),
                    headers=write_headers(
                        Event("a", "urn:double", ANSWER_TYPE, ""), "a", message.timestamp()[1]
                    ),
                    partition=partition_of(hashed, counted[self.settings.topic_prefix + ANSWERS]),
                )
        producer.flush(5)
        consumer.close()

    def answer(self, message: Any, request: Request, given: dict[str, Any]) -> bytes:
        purchase = request.purchase
        return Answer(
            topic_id="T",
            partition=message.partition(),
            offset=message.offset(),
            admitted_at_ms=message.timestamp()[1],
            account=purchase.identity.account,
            source=purchase.identity.source,
            id=purchase.identity.id,
            request_hash=purchase.request_hash,
            body_hash=purchase.body_hash,
            max_charge_units=purchase.max_charge_units,
            expires_at=purchase.expires_at,
            key=request.key,
            signature=request.signature,
            **given,
        ).payload()


@contextmanager
def responding(settings: Settings) -> Iterator[Responder]:
    """Runs a double until the block ends; an assertion in it fails the test."""
    responder, stop, failed = Responder(settings), threading.Event(), []
    responder.go.set()

    def run() -> None:
        try:
            responder.serve(stop)
        except BaseException as error:  # handed to the test's own thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield responder
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]
