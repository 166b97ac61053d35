"""The attribution job: answers from Kafka, weights by our own Triton, into Postgres and the lake.

    python -m pipelines.attribution --runner=PrismRunner
    python -m pipelines.attribution --runner=FlinkRunner --flink_master=HOST:PORT …

Ordinary Beam options go to the runner; everything else is a setting, see docs/reference.md.
"""

import logging
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import apache_beam as beam

from distributary.cli.failures import run_in_words
from distributary.errors import ExitCode
from distributary.lake.texts import sweep_texts
from distributary.metrics_server import serve_metrics
from distributary.recording.job import RecordingJob
from distributary.recording.lane import AnswersLane, Ripeness
from distributary.recording.metrics import Metrics
from distributary.recording.weights import Question, Reply
from distributary.settings import Settings, load_settings
from distributary.store.lanes import SupersededError
from distributary.topics import ANSWERS
from transforms.answers_source import ReadAnswers, drain_jobs, failures, register_job
from transforms.attribution import RecordAnswers
from transforms.beam_defects import KeepAnOutput, guard_splits
from transforms.job import Job, run_job

log = logging.getLogger(__name__)

GROUP = "distributary-attribution"
# The name of this module: a worker process on a cluster imports it to make the job.
JOB = "pipelines.attribution"
# Texts of passages kept in memory: the ones shown often are few.
TEXTS_KEPT_MAX = 4_096
SWEEP_S = 3_600.0
KAFKA_ANSWER_S = 5.0


def make_job(settings: Settings) -> RecordingJob:
    """The job of one process, for the topic and servers of `settings`.

    Raises:
        DistributaryError: a server does not answer, a topic is missing, a setting is wrong.
    """
    from distributary.kafka import topic_ids
    from distributary.recording.judging import Judge
    from distributary.recording.recorder import Recorder
    from distributary.rules import load_catalogue
    from distributary.store import connect
    from distributary.store.commit import Committer
    from transforms.attribute_client import AttributeClient

    guard_splits()
    topic = settings.topic_prefix + ANSWERS
    topic_id = topic_ids(settings, [topic])[topic]
    dsn, lake = settings.require("postgres"), settings.lake_path
    client = AttributeClient(settings.require("triton_trusted"), settings.batches_in_flight_max)
    judge = Judge(
        settings.domain,
        load_catalogue("prices"),
        load_catalogue("splits"),
        settings.expiry_s_max,
        lambda _account, _key: None,
    )
    metrics = Metrics()

    def attribute(questions: Sequence[Question]) -> list[Reply]:
        with metrics.triton_s.time():
            return client(questions)

    def make_recorder() -> Recorder:
        committer = Committer(lake, {}, lambda: uuid.uuid4().hex)
        return Recorder(
            lambda: connect(dsn, autocommit=True),
            judge,
            committer,
            attribute,
            text_reader(lake),
            job.stopping,
        )

    job = RecordingJob(
        lambda partition: open_answers_lane(settings, topic, topic_id, partition),
        make_recorder,
        metrics,
    )
    serve_metrics(metrics.registry, settings.metrics_port_attribution)
    return job


def open_answers_lane(settings: Settings, topic: str, topic_id: str, partition: int) -> AnswersLane:
    """Takes a new generation of a partition and reads on from where Postgres says.

    Raises:
        UnavailableError: Kafka or Postgres does not answer.
        DistributaryError: `records_lost`.
    """
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    from distributary.kafka import consumer_config, unavailable
    from distributary.store import connect
    from distributary.store.lanes import open_lane

    group = settings.topic_prefix + GROUP
    consumer = Consumer(consumer_config(settings, GROUP, group))
    try:
        low, _high = consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=KAFKA_ANSWER_S
        )
        with connect(settings.require("postgres"), autocommit=True) as connection:
            opened = open_lane(connection, topic_id, topic, partition, low)
    except KafkaException as error:
        consumer.close()
        raise unavailable(settings, error) from error
    except BaseException:
        consumer.close()
        raise
    ripeness = Ripeness(settings.bundle_s)
    return AnswersLane(consumer, topic, opened.lane, opened.next_offset, ripeness)


def text_reader(lake: Path) -> Callable[[Sequence[str]], dict[str, str]]:
    """Reads texts of documents, keeping the latest in memory.

    A text that is missing means a damaged lake, not a bad answer: the bundle waits.
    """
    from distributary.datanets.texts import read_texts
    from distributary.errors import DistributaryError, UnavailableError

    @lru_cache(TEXTS_KEPT_MAX)
    def read(document: str) -> str:
        try:
            return read_texts(lake, [document])[document]
        except DistributaryError as error:
            raise UnavailableError(str(error), code=error.code) from error

    return lambda documents: {document: read(document) for document in documents}


# The settings are read where the job is made: in each worker's own environment.
register_job(JOB, lambda: make_job(load_settings()))


def build(
    pipeline: beam.Pipeline, sources: Sequence[beam.PTransform[Any, Any]], job: str = JOB
) -> None:
    """Builds the job from its sources, one per partition, each fused with its own commit."""
    for number, source in enumerate(sources):
        batches = pipeline | f"Answers {number}" >> source
        recorded = batches | f"Record {number}" >> RecordAnswers(job)
        recorded | f"End {number}" >> KeepAnOutput()


def sweep_forever(settings: Settings, stopping: threading.Event) -> None:
    """Deletes expired texts, once an hour."""
    while True:
        try:
            sweep_texts(settings.lake_path, datetime.now(UTC), settings.texts_retention_s)
        except OSError as error:
            log.warning({"msg": "expired texts stay for now", "error": str(error)})
        if stopping.wait(SWEEP_S):
            return


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job until SIGTERM; returns the exit code."""
    settings = load_settings()
    argv = sys.argv[1:] if argv is None else argv
    guard_splits()
    topic = settings.topic_prefix + ANSWERS

    def build_all(pipeline: beam.Pipeline) -> None:
        from distributary.kafka import count_partitions

        partitions = count_partitions(settings, [topic])[topic]
        build(pipeline, [ReadAnswers(JOB, partition) for partition in range(partitions)])

    def check() -> None:
        for name in ("kafka", "postgres", "triton_trusted"):
            settings.require(name)

    stopping = threading.Event()
    threading.Thread(target=sweep_forever, args=(settings, stopping), daemon=True).start()
    code = run_job(Job("attribution", __doc__ or "", check, build_all, drain_jobs), argv, settings)
    stopping.set()
    superseded = any(isinstance(failure, SupersededError) for failure in failures())
    return ExitCode.SUPERSEDED if superseded else code


if __name__ == "__main__":
    sys.exit(run_in_words(main))
