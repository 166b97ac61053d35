"""A stream of answers, jobs in processes of their own, and the count of what came of it.

The count reads Kafka, Postgres and Parquet by itself and shares no code with the job.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pyarrow.parquet as pq
from confluent_kafka import Consumer, Producer, TopicPartition

from distributary.answers import Answer
from distributary.datanets.texts import text_path
from distributary.identity import partition_of
from distributary.kafka import create_topics
from distributary.settings import PREFIX, Settings
from distributary.stack.local import LocalStack
from distributary.store import connect, migrate
from tests.servers import unique
from tests.signed_answers import Customer

WAIT_S = 120.0
Job = subprocess.Popen[bytes]
DOCUMENTS = {
    hashlib.sha256(text.encode()).hexdigest(): text
    for text in (f"What document {number} says." for number in range(4))
}


def until(condition: Callable[[], bool], wait_s: float = WAIT_S) -> None:
    """Waits for a condition, with a limit."""
    limit = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < limit, "it did not come about in time"
        time.sleep(0.1)


class Payer(Protocol):
    """An account with a session key, hex."""

    @property
    def account(self) -> str:
        """The address."""
        ...

    @property
    def public(self) -> str:
        """The key."""
        ...


def open_stream(stack: LocalStack, lake: Path, partitions: int = 2) -> "Stream":
    """An empty stream with a database and topics of its own."""
    name = unique("stream")
    with connect(stack.settings.postgres, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    dsn = urlsplit(stack.settings.postgres)._replace(path=f"/{name}").geturl()
    settings = replace(stack.settings, partitions=partitions, topic_prefix=f"{name}.")
    return Stream(settings, dsn, lake, knobs=stack.settings.lake_path)


@dataclass
class Stream:
    """Topics, database and lake of one test.

    Attributes:
        settings: endpoints of the servers.
        dsn: a database made for the test.
        lake: a folder made for the test.
        knobs: the folder in which Triton's double looks for its knobs.
    """

    settings: Settings
    dsn: str
    lake: Path
    knobs: Path
    jobs: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.topic = self.settings.topic_prefix + "inference.answers"
        create_topics(self.settings)
        self.knobs.mkdir(parents=True, exist_ok=True)
        migrate(self.dsn)
        self.lake.mkdir(parents=True, exist_ok=True)
        for document, text in DOCUMENTS.items():
            path = text_path(self.lake, document)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with connect(self.dsn) as connection:
            connection.execute("insert into owners (label) values ('author')")
            for document in DOCUMENTS:
                connection.execute(
                    "insert into documents (document, owner_id, bytes, title) "
                    "values (%s, 1, 1, '')",
                    (document,),
                )

    def register(self, customer: Payer) -> None:
        """Delegates a customer's session key, as far as the job can see."""
        with connect(self.dsn) as connection:
            connection.execute("insert into accounts (account) values (%s)", (customer.account,))
            connection.execute(
                "insert into delegations values (%s, %s, %s, %s)",
                (customer.account, customer.public, 2**40, "0x" + "0" * 130),
            )

    def answer(self, customer: Customer, number: int, **changes: Any) -> Answer:
        """An answer that was shown one of the documents of the test."""
        shown = [sorted(DOCUMENTS)[number % len(DOCUMENTS)]]
        return customer.answer(number, **({"passages": shown} | changes))

    def produce(self, answers: Iterable[Answer | bytes]) -> None:
        """Writes records as the inference job does; bytes go to partition 0 as they are."""
        producer = Producer({"bootstrap.servers": self.settings.kafka, "acks": "all"})
        for answer in answers:
            value = answer if isinstance(answer, bytes) else answer.payload()
            partition = (
                0
                if isinstance(answer, bytes)
                else partition_of(answer.request_hash, self.settings.partitions)
            )
            producer.produce(self.topic, value, partition=partition)
            producer.poll(0)
        assert producer.flush(30) == 0

    def job_settings(self) -> Settings:
        """Settings of an installation on this database and lake."""
        return replace(self.settings, postgres=self.dsn, lake=self.lake)

    def start_job(self, *command: str) -> Job:
        """Starts the job, or `distributary` with a command, in a process of its own."""
        given = {
            "KAFKA": self.settings.kafka,
            "TOPIC_PREFIX": self.settings.topic_prefix,
            # With the rights of the job's own role: it may do no more than it must.
            "POSTGRES": f"{self.dsn}?options=-crole%3Ddistributary_attribution",
            "VALKEY": self.settings.valkey,
            "TRITON": self.settings.triton,
            "TRITON_TRUSTED": self.settings.triton_trusted,
            "PRISM": self.settings.prism,
            "LAKE": str(self.lake),
            "HOME": str(self.settings.home),
            "BUNDLE_S": "0.2",
            "METRICS_PORT_INFERENCE": "0",
            "METRICS_PORT_ATTRIBUTION": "0",
        }
        log = self.lake.parent / f"job-{len(self.jobs)}.log"
        with log.open("wb") as file:
            job = subprocess.Popen(
                [sys.executable, "-m", *(command or ("pipelines.attribution",))],
                env=os.environ | {PREFIX + name: value for name, value in given.items()},
                stderr=file,
                stdout=file,
                start_new_session=True,
            )
        self.jobs.append(job)
        return job

    def log(self, job: Job) -> bytes:
        """What a job has logged."""
        return (self.lake.parent / f"job-{self.jobs.index(job)}.log").read_bytes()

    def end_jobs(self) -> None:
        """Ends every job with all its children."""
        for job in self.jobs:
            self.kill(job)

    @staticmethod
    def kill(job: Job) -> None:
        """`kill -9` of a job and of the runner that it started."""
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()

    def highs(self) -> dict[int, int]:
        """Kafka's end of each partition."""
        consumer = Consumer({"bootstrap.servers": self.settings.kafka, "group.id": "count"})
        places = [TopicPartition(self.topic, number) for number in range(self.settings.partitions)]
        try:
            return {at.partition: consumer.get_watermark_offsets(at, 10)[1] for at in places}
        finally:
            consumer.close()

    def positions(self) -> dict[int, int]:
        """Where Postgres stands in each partition."""
        with connect(self.dsn) as connection:
            rows = connection.execute("select partition, next_offset from consumed").fetchall()
        return dict.fromkeys(range(self.settings.partitions), 0) | dict(rows)

    def committed(self) -> int:
        """How many offsets Postgres is past."""
        return sum(self.positions().values())

    def wait_until_committed(self, wait_s: float = WAIT_S) -> None:
        """Waits until every record in Kafka is in Postgres."""
        highs = self.highs()

        def done() -> bool:
            with suppress(Exception):
                return self.positions() == highs
            return False

        until(done, wait_s)

    def records(self) -> list[tuple[int, int, bytes]]:
        """Every record of the topic: partition, offset, value."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka,
                "group.id": "count",
                "enable.auto.commit": False,
            }
        )
        highs = self.highs()
        consumer.assign([TopicPartition(self.topic, partition, 0) for partition in highs])
        found: list[tuple[int, int, bytes]] = []
        limit = time.monotonic() + WAIT_S
        while len(found) < sum(highs.values()):
            assert time.monotonic() < limit
            for message in consumer.consume(1000, timeout=1.0):
                assert message.error() is None
                found.append((message.partition(), message.offset(), message.value() or b""))
        consumer.close()
        return sorted(found)

    def parquet(self) -> set[str]:
        """Names of the bundles' Parquet files that are in the lake, recorded or not."""
        return {path.stem for path in (self.lake / "answers").glob("*/*.parquet")}

    def recorded(self) -> set[str]:
        """Names of the files that Postgres names."""
        return {name for (name,) in self.rows("select file from lake_files")}

    def rows(self, statement: str) -> list[Any]:
        """Rows from Postgres."""
        with connect(self.dsn) as connection:
            return connection.execute(statement).fetchall()


def count_independently(stream: Stream, good: Sequence[Answer]) -> None:
    """As `count_charges`, of executed answers in the stream that ought to be charged."""
    count_charges(stream, {answer.request_hash: int(answer.charge_units or "") for answer in good})


def count_charges(stream: Stream, charges: Mapping[str, int]) -> None:
    """Asserts I1 and I2: every record is booked once, every purchase charged exactly once.

    Args:
        stream: what was written and what came of it.
        charges: base units by request hash, of all that ought to be charged.
    """
    records = stream.records()
    booked = stream.rows("select partition, answer_offset, outcome, reason from answers")
    aside = stream.rows("select partition, answer_offset from quarantine")
    where = [(p, o) for p, o, _, _ in booked] + aside
    assert sorted(where) == [(p, o) for p, o, _ in records], "I1: each record exactly once"

    charged = stream.rows(
        "select encode(request_hash, 'hex'), partition, answer_offset, charge_units "
        "from answers where outcome = 'charged'"
    )
    first: dict[str, tuple[int, int]] = {}
    for partition, offset, value in records:
        with suppress(ValueError, KeyError):
            parsed = json.loads(value)
            if parsed["status"] == "executed":
                first.setdefault(parsed["request_hash"], (partition, offset))
    expected = {hash_: (*first[hash_], units) for hash_, units in charges.items()}
    assert {hash_: (p, o, int(units)) for hash_, p, o, units in charged} == expected
    assert len(charged) == len(expected), "I2: no request hash is charged twice"
    _count_parquet(stream, booked)
    _count_weights(stream, len(expected))


def _count_parquet(stream: Stream, booked: Sequence[Any]) -> None:
    """Recorded files hold exactly the rows of Postgres, byte for byte as recorded."""
    found: list[tuple[int, int, str, str | None]] = []
    for file, epoch, rows, sha256 in stream.rows(
        "select file, epoch, rows, sha256 from lake_files"
    ):
        path = stream.lake / "answers" / f"{epoch:08d}" / f"{file}.parquet"
        assert hashlib.sha256(path.read_bytes()).digest() == bytes(sha256)
        columns = ["partition", "answer_offset", "outcome", "reason"]
        table = pq.read_table(path, partitioning=None)
        assert table.num_rows == rows
        found += [tuple(row[c] for c in columns) for row in table.select(columns).to_pylist()]
    assert sorted(found, key=lambda r: r[:2]) == sorted(booked, key=lambda r: r[:2])


def _count_weights(stream: Stream, charged: int) -> None:
    """Each charged answer with a datanet has weights that sum, with commons, to the whole."""
    sums = stream.rows(
        """
        select answers.commons + coalesce(sum(weight), 0)
        from answers left join attributions using (epoch, topic, partition, answer_offset)
        where outcome = 'charged'
        group by answers.partition, answer_offset, commons
        """
    )
    assert Counter(int(row[0]) for row in sums) == Counter({10**9: charged})
