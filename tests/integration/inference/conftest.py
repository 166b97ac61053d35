"""One job on two doubles of a node, for all tests that need no server killed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from distributary.kafka import create_topics
from distributary.settings import REQUEST_BYTES_LEAST, Settings
from tests.counting import Books, count_when_answered
from tests.inference_job import InferenceJob, environment, running
from tests.node_server import NodeServer, answer_all
from tests.senders import Customer, Sender
from tests.servers import unique

PARTITIONS = 2
BYTES_MAX = REQUEST_BYTES_LEAST
LIMITS = {"retry_s_max": 2, "deadline_ms_default": 20_000, "request_bytes_max": BYTES_MAX}


@dataclass(frozen=True)
class Installation:
    """Topics of their own on the session's servers, a funded account, and who serves it."""

    settings: Settings
    prefix: str
    sender: Sender
    customer: Customer
    nodes: tuple[NodeServer, NodeServer]
    environ: dict[str, str]
    log: Path

    def books(self, limit_s: float = 30.0) -> Books:
        """The count once everything sent so far has its answer or dead letter."""
        return count_when_answered(self.settings.kafka, self.prefix, limit_s)


def install(settings: Settings, home: Path) -> Installation:
    """Makes topics and publishes the account."""
    prefix = unique("inference") + "."
    settings = replace(
        settings, topic_prefix=prefix, partitions=PARTITIONS, request_bytes_max=BYTES_MAX
    )
    create_topics(settings)
    # A lake without this folder is one that is not mounted.
    (home / "lake" / "datanets").mkdir(parents=True, exist_ok=True)
    customer, sender = Customer(prefix), Sender(settings.kafka, prefix)
    sender.publish(customer.state())
    nodes = (NodeServer(), NodeServer())
    triton = f"a={nodes[0].address},b={nodes[1].address}"
    environ = environment(settings, prefix, home, **LIMITS, triton=triton)
    return Installation(settings, prefix, sender, customer, nodes, environ, home / "job.log")


@pytest.fixture(scope="module")
def installation(
    session_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation without a job."""
    made = install(session_settings, tmp_path_factory.mktemp("inference"))
    yield made
    for node in made.nodes:
        node.stop()


@pytest.fixture(scope="module")
def session_settings(kafka: str, valkey: str, prism: str) -> Settings:
    """Settings of the servers that the session shares; each module has nodes of its own."""
    return Settings(kafka=kafka, valkey=valkey, prism=prism, triton="set=by:1")


@pytest.fixture(scope="module")
def job(installation: Installation) -> Iterator[InferenceJob]:
    """The job, serving."""
    with running(installation.environ, installation.log, PARTITIONS) as started:
        yield started


@pytest.fixture
def serving(installation: Installation, job: InferenceJob) -> Iterator[Installation]:
    """The installation with its job, the nodes answering as they should."""
    yield installation
    for node in installation.nodes:
        node.behaviour, node.damage = answer_all, bytes
