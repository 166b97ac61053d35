"""What the inference benchmarks share: servers of their own, a job, signed requests, a load.

The model is `simulated` throughout: a stated service time, answers made up. Everything else is
real: Kafka, Triton, Valkey, Prism and the job as operators run it. Traffic stays on 127.0.0.1.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from distributary.accounts import AccountState, Delegation
from distributary.events import REQUEST_TYPE, Event, Headers, write_headers
from distributary.identity import Identity, partition_of
from distributary.kafka import consumer_config, create_topics, producer_config
from distributary.requests import sign_request
from distributary.settings import PREFIX, Settings, load_settings
from distributary.stack.local import LocalStack
from distributary.supervise import die_with_parent
from distributary.topics import ACCOUNTS, ANSWERS, REQUESTS

ACCOUNT = "0x" + "ab" * 20
MODEL = "simulated"
ANSWER_S_MAX = 120.0


@dataclass(frozen=True)
class Signed:
    """A request ready to be sent."""

    request_hash: str
    headers: Headers
    value: bytes


@dataclass(frozen=True)
class Received:
    """An answer: its request hash, status or code, and instants in seconds since the epoch.

    `read_at` is when the client had it; `appended_at` is the broker's.
    """

    request_hash: str
    status: str
    read_at: float
    appended_at: float


@contextmanager
def servers(service_ms: float | None = None) -> Iterator[LocalStack]:
    """Kafka, Valkey, Triton and Prism, with the topics; `service_ms` replaces the model's own."""
    if service_ms is not None:
        os.environ["DISTRIBUTARY_SIMULATED_MS"] = str(service_ms)
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        names = ("kafka", "valkey", "triton", "prism")
        local = stack.enter_context(LocalStack(Path(home), names, load_settings().cache))
        create_topics(local.settings)
        yield local


@contextmanager
def job(settings: Settings, *command: str) -> Iterator[psutil.Process]:
    """Runs `distributary run inference` (or another command) and drains it at the end."""
    given = {
        PREFIX + name.upper(): str(getattr(settings, name))
        for name in ("home", "cache", "kafka", "valkey", "triton", "triton_trusted", "prism")
    } | {PREFIX + "POSTGRES": settings.postgres, PREFIX + "METRICS_PORT_INFERENCE": "0"}
    log = settings.home / "job.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *(command or ("distributary", "run", "inference"))],
            env=os.environ | given,
            stdout=stream,
            stderr=stream,
            preexec_fn=die_with_parent,
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def job_processes(supervisor: psutil.Process) -> tuple[psutil.Process, psutil.Process | None]:
    """The job's Python process and its Prism, under `distributary run`."""
    (python,) = (child for child in supervisor.children() if "python" in child.name())
    prism = next((child for child in python.children() if "prism" in child.name()), None)
    return python, prism


def cpu_s(process: psutil.Process) -> float:
    """User and system CPU seconds that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def sign_many(settings: Settings, count: int) -> list[Signed]:
    """Signed requests of one account, whose state record is published here."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    state = AccountState(
        ACCOUNT, time.time_ns(), 10**30, "grant", False, (Delegation(public, 2**40, "0x"),)
    )
    producer = Producer(producer_config(settings, "benchmark"))
    producer.produce(ACCOUNTS, key=ACCOUNT, value=state.payload())
    producer.flush()
    signed = []
    for number in range(count):
        identity = Identity(ACCOUNT, "/benchmark", uuid.uuid4().hex)
        request = sign_request(
            settings.domain,
            identity,
            {"model": MODEL, "prompt": f"Question {number}: what branches off a river?"},
            max_charge_units=10**18,
            expires_at=int(time.time()) + 3600,
            salt=os.urandom(16),
            key=key,
        )
        event = Event(identity.id, identity.source, REQUEST_TYPE, "")
        headers = write_headers(event, ACCOUNT, time.time_ns() // 10**6)
        signed.append(Signed(request.purchase.request_hash, headers, request.payload()))
    return signed


class Load:
    """Sends requests and collects their answers on threads of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(producer_config(settings, "benchmark"))
        self._consumer = Consumer(consumer_config(settings, "benchmark", "benchmark"))
        partitions = [TopicPartition(ANSWERS, p) for p in range(settings.partitions)]
        for partition in partitions:
            partition.offset = self._consumer.get_watermark_offsets(partition, timeout=10)[1]
        self._consumer.assign(partitions)
        self.sent: dict[str, float] = {}
        self.received: list[Received] = []
        self._first_of: set[str] = set()
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._closed.is_set():
            for message in self._consumer.consume(500, timeout=0.005):
                if message.error() is None:
                    self._take(message, time.time())

    def _take(self, message: Any, now: float) -> None:
        answer = orjson.loads(message.value())
        status = answer.get("code") or answer["status"]
        _kind, at_ms = message.timestamp()
        self.received.append(Received(answer["request_hash"], status, now, at_ms / 1000))
        self._first_of.add(answer["request_hash"])

    def send(self, requests: list[Signed], per_s: float | None = None) -> None:
        """Sends requests, all at once or at a rate; open loop: never waits for answers."""
        began = time.time()
        for number, request in enumerate(requests):
            if per_s is not None:
                time.sleep(max(0.0, began + number / per_s - time.time()))
            self.sent[request.request_hash] = time.time()
            self._produce(request)
            self._producer.poll(0)
        self._producer.flush()

    def _produce(self, request: Signed) -> None:
        partition = partition_of(request.request_hash, self._settings.partitions)
        while True:
            try:
                self._producer.produce(
                    REQUESTS,
                    value=request.value,
                    key=request.request_hash.encode(),
                    headers=list(request.headers),
                    partition=partition,
                )
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def wait(self, count: int, timeout_s: float = ANSWER_S_MAX) -> None:
        """Waits until so many requests, of all that were ever sent here, have an answer."""
        deadline = time.time() + timeout_s
        while (answered := len(self._first_of)) < count:
            if time.time() > deadline:
                raise SystemExit(f"{count - answered} had no answer within {timeout_s:.0f} s")
            time.sleep(0.05)

    def close(self) -> None:
        """Stops reading."""
        self._closed.set()
        self._reader.join()
        self._consumer.close()


def percentile(values: list[float], percent: float) -> float:
    """The value below which `percent` of the values lie."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]


def spread_ms(values_s: list[float]) -> dict[str, float]:
    """p50, p90 and p99 in milliseconds."""
    return {f"p{p}": round(1000 * percentile(values_s, p), 1) for p in (50, 90, 99)}


def local_settings(local: LocalStack) -> Settings:
    """Settings of a stack whose job serves no metrics port."""
    return replace(local.settings, metrics_port_inference=0)
