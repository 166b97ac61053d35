"""The inference job: requests from Kafka, answers by Triton nodes, back to Kafka.

    python -m pipelines.inference --runner=PrismRunner
    python -m pipelines.inference --runner=FlinkRunner --flink_master=HOST:PORT …

Ordinary Beam options go to the runner; everything else is a setting, see docs/reference.md.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence

import apache_beam as beam

from distributary.bodies import DEADLINE_MS_MAX
from distributary.cli.failures import run_in_words
from distributary.inference.engine import Engine, EngineConfig
from distributary.inference.server import Outcome, Server, Topics
from distributary.metrics_server import serve_metrics
from distributary.settings import Settings, load_settings
from distributary.topics import ACCOUNTS, ANSWERS, DEAD, REQUESTS
from transforms.beam_defects import KeepAnOutput, guard_splits
from transforms.job import Job, run_job
from transforms.lanes import CountOutcomes, ServeLanes, drain_engines, register_engine

GROUP = "distributary-inference"
# The name of this module: a worker process on a cluster imports it to make the engine.
ENGINE = "pipelines.inference"


def make_engine(settings: Settings) -> Engine:
    """The engine of one process, for the topics and servers of `settings`.

    Raises:
        DistributaryError: a server does not answer, a topic is missing, a setting is wrong.
    """
    from distributary.kafka import consumer_config, topic_ids

    guard_splits()
    name = settings.topic_prefix + REQUESTS
    config = EngineConfig(
        consumer=consumer_config(settings, GROUP, settings.topic_prefix + GROUP),
        topic_id=topic_ids(settings, [name])[name],
        window_max=settings.window_max,
        drain_s_max=DEADLINE_MS_MAX / 1000,
    )
    return Engine(config, lambda finish, fail: make_server(settings, finish, fail))


def make_server(
    settings: Settings,
    finish: Callable[[Sequence[Outcome]], None],
    fail: Callable[[BaseException], None],
) -> Server:
    """The server of one engine; call it on the engine's event loop."""
    from redis.asyncio import Redis

    from distributary.datanets.retrieval import Retriever
    from distributary.inference.accounts_table import AccountsTable
    from distributary.inference.admission import Admission
    from distributary.inference.decode import Decoder
    from distributary.inference.dispatcher import Limits
    from distributary.inference.leases import Leases
    from distributary.inference.metrics import Metrics
    from distributary.inference.nodes import Nodes
    from distributary.inference.outbox import Outbox
    from distributary.kafka import consumer_config, count_partitions, producer_config
    from distributary.rules import load_catalogue
    from distributary.tokens import counters
    from transforms.triton_node import TritonNode

    prefix, metrics, loop = settings.topic_prefix, Metrics(), asyncio.get_running_loop()
    accounts = AccountsTable(
        consumer_config(settings, f"{GROUP}-accounts", f"{prefix}{GROUP}-accounts"),
        prefix + ACCOUNTS,
        lambda error: loop.call_soon_threadsafe(fail, error),
    )
    accounts.load()
    answers = prefix + ANSWERS
    partitions = count_partitions(settings, [answers])[answers]
    valkey = Redis.from_url(
        settings.require("valkey"),
        single_connection_client=True,  # a pool takes a third of the time of a round trip
        socket_timeout=None,
        socket_connect_timeout=VALKEY_S_MAX,
    )
    nodes = [TritonNode(name, at, metrics.triton_s) for name, at in settings.nodes().items()]
    limits = Limits(
        settings.batches_in_flight_max, settings.requests_in_flight_max, settings.retry_s_max
    )
    serve_metrics(metrics.registry, settings.metrics_port_inference)
    return Server(
        topics=Topics(prefix + REQUESTS, answers, prefix + DEAD, partitions),
        decoder=Decoder(settings.domain, settings.request_bytes_max),
        admission=Admission(
            settings,
            load_catalogue("prices"),
            load_catalogue("splits"),
            Retriever(settings.lake_path),
            counters(),
        ),
        leases=Leases(
            valkey,
            timeout_s=VALKEY_S_MAX,
            lease_ms=DEADLINE_MS_MAX + LEASE_MARGIN_MS,
            replay_s=settings.replay_s,
        ),
        outbox=Outbox(producer_config(settings, GROUP), loop),
        accounts=accounts,
        metrics=metrics,
        finish=finish,
        fail=fail,
        nodes=Nodes(nodes),
        limits=limits,
    )


# Leases outlive the longest deadline by the time an acknowledgement may take.
LEASE_MARGIN_MS = 60_000
# A batch that has waited so long for Valkey is served without leases.
VALKEY_S_MAX = 1.0


# The settings are read where the engine is made: in each worker's own environment.
register_engine(ENGINE, lambda: make_engine(load_settings()))


def build(pipeline: beam.Pipeline, source: beam.PTransform) -> None:
    """Builds the job from its source, a `ServeLanes` or a double of it."""
    outcomes = pipeline | "Serve requests" >> source
    counted = outcomes | "Count outcomes" >> beam.ParDo(CountOutcomes())
    counted | "End" >> KeepAnOutput()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job until SIGTERM; returns the exit code."""
    settings = load_settings()
    argv = sys.argv[1:] if argv is None else argv
    guard_splits()
    topic = settings.topic_prefix + REQUESTS

    def build_all(pipeline: beam.Pipeline) -> None:
        from distributary.kafka import count_partitions

        partitions = count_partitions(settings, [topic])[topic]
        build(
            pipeline,
            ServeLanes(ENGINE, topic, partitions, settings.topic_prefix + GROUP),
        )

    def check() -> None:
        settings.nodes()
        for name in ("kafka", "valkey"):
            settings.require(name)

    return run_job(Job("inference", __doc__ or "", check, build_all, drain_engines), argv, settings)


if __name__ == "__main__":
    sys.exit(run_in_words(main))
