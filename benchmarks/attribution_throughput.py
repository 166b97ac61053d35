"""Answers per second that the attribution job commits, without the model's own time.

    python -m benchmarks.attribution_throughput [--answers N] [--partitions N]

The whole job runs: Kafka, Beam on Prism, signatures and charges, one transaction a bundle into
Postgres and Parquet, eight weights an answer. Only the model `attribute` is a double that replies
at once. Everything shares this machine's cores, Kafka and Postgres included. Prints JSON.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import apache_beam as beam

from benchmarks.cpu import tree_cpu_s
from distributary.identity import partition_of
from distributary.kafka import create_topics, topic_ids
from distributary.recording.job import RecordingJob
from distributary.recording.recorder import Recorder
from distributary.recording.weights import Question, Reply
from distributary.settings import Settings, load_settings
from distributary.stack.local import LocalStack
from distributary.store import connect, migrate
from distributary.store.commit import Committer
from distributary.topics import ANSWERS
from pipelines.attribution import JOB, build, open_answers_lane
from tests.signed_answers import DOCUMENTS, Customer, eight_weights, judge
from transforms.answers_source import ReadAnswers, register_job
from transforms.beam_defects import guard_splits
from transforms.runners import job_options

CUSTOMERS = 100
WAIT_S = 120.0


def reply_at_once() -> str:
    """The weights of every answer."""
    weights = eight_weights()
    return json.dumps(
        {
            "method": weights.method,
            "commons": weights.commons,
            "weights": [list(pair) for pair in weights.documents],
        }
    )


def prepare(stack: LocalStack, settings: Settings) -> str:
    """Makes topics, schema, documents and accounts; returns the database."""
    create_topics(settings)
    with connect(stack.settings.postgres, autocommit=True) as connection:
        connection.execute("create database benchmark")
    dsn = urlsplit(stack.settings.postgres)._replace(path="/benchmark").geturl()
    migrate(dsn)
    with connect(dsn) as connection:
        connection.execute("insert into owners (label) values ('author')")
        for document in DOCUMENTS:
            connection.execute(
                "insert into documents (document, owner_id, bytes, title) values (%s, 1, 1, '')",
                (document,),
            )
        for customer in customers():
            connection.execute("insert into accounts (account) values (%s)", (customer.account,))
            connection.execute(
                "insert into delegations values (%s, %s, %s, %s)",
                (customer.account, customer.public, 2**40, "0x" + "0" * 130),
            )
    return dsn


def customers() -> list[Customer]:
    """Accounts that pay in turn."""
    return [Customer(account=f"0x{number:040x}") for number in range(1, CUSTOMERS + 1)]


def produce(settings: Settings, count: int) -> None:
    """Writes signed answers of about 2 kB."""
    from confluent_kafka import Producer

    payers = customers()
    producer = Producer({"bootstrap.servers": settings.kafka, "linger.ms": 50})
    for number in range(count):
        answer = payers[number % CUSTOMERS].answer(number, text="word " * 60, passages=[])
        partition = partition_of(answer.request_hash, settings.partitions)
        producer.produce(ANSWERS, answer.payload(), partition=partition)
        producer.poll(0)
    producer.flush(60)


def make_job(settings: Settings, dsn: str) -> RecordingJob:
    """The job as `pipelines.attribution` makes it, with the model doubled."""
    topic_id = topic_ids(settings, [ANSWERS])[ANSWERS]
    weights = reply_at_once()

    def attribute(questions: Sequence[Question]) -> list[Reply]:
        return [Reply(weights, "")] * len(questions)

    def make_recorder() -> Recorder:
        return Recorder(
            lambda: connect(dsn, autocommit=True),
            replace(judge(), expiry_s_max=settings.expiry_s_max),
            Committer(settings.lake_path, {}, lambda: uuid.uuid4().hex),
            attribute,
            lambda documents: dict.fromkeys(documents, ""),
        )

    return RecordingJob(
        lambda partition: open_answers_lane(settings, ANSWERS, topic_id, partition), make_recorder
    )


@contextmanager
def running(job: RecordingJob, settings: Settings) -> Iterator[None]:
    """Runs the pipeline in this process until the `with` block ends."""
    guard_splits()
    register_job(JOB, lambda: job)
    pipeline = beam.Pipeline(options=job_options([], settings))
    build(pipeline, [ReadAnswers(JOB, number) for number in range(settings.partitions)])
    result = pipeline.run()
    try:
        yield
    finally:
        job.drain()
        result.wait_until_finish(duration=10_000)
        job.close()


def measure(count: int, partitions: int) -> dict[str, Any]:
    """One run."""
    names = ("kafka", "postgres", "prism")
    with (
        tempfile.TemporaryDirectory() as home,
        LocalStack(Path(home), names, load_settings().cache) as stack,
    ):
        settings = replace(stack.settings, partitions=partitions)
        dsn = prepare(stack, settings)
        settings = replace(settings, postgres=dsn)
        produce(settings, count)
        pids = {"job": os.getpid(), "kafka": stack.pid("kafka"), "postgres": stack.pid("postgres")}
        with (
            connect(dsn, autocommit=True) as connection,
            running(make_job(settings, dsn), settings),
        ):
            first = wait_for(connection, lambda committed: committed > 0)
            begun, cpu = time.monotonic(), {name: tree_cpu_s(pid) for name, pid in pids.items()}
            wait_for(connection, lambda committed: committed >= count)
            seconds = time.monotonic() - begun
            spent = {name: tree_cpu_s(pid) - cpu[name] for name, pid in pids.items()}
            rows = connection.execute("select count(*) from attributions").fetchone()
            bundles = connection.execute("select count(*) from lake_files").fetchone()
    committed = count - first
    return {
        "answers_per_s": round(committed / seconds),
        "answers": committed,
        "weights_per_answer": (rows or (0,))[0] / count,
        "seconds": round(seconds, 2),
        "bundles": (bundles or (0,))[0],
        "cpu_s_per_1000_answers": {
            name: round(1000 * used / committed, 3) for name, used in spent.items()
        },
        "cores": len(os.sched_getaffinity(0)),
        "partitions": partitions,
    }


def wait_for(connection: Any, enough: Any) -> int:
    """Waits until enough answers are committed; returns how many."""
    limit = time.monotonic() + WAIT_S
    while True:
        row = connection.execute("select coalesce(sum(next_offset), 0) from consumed").fetchone()
        if enough(int(row[0])):
            return int(row[0])
        if time.monotonic() > limit:
            sys.exit("too few answers were committed in time")
        time.sleep(0.02)


def main() -> None:
    """Prints one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=60_000)
    parser.add_argument("--partitions", type=int, default=4)
    given = parser.parse_args()
    print(json.dumps(measure(given.answers, given.partitions), indent=2))


if __name__ == "__main__":
    main()
