"""A load on the simulated model, on servers that these tests may kill."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest
import redis

from distributary.kafka import create_topics
from distributary.requests import Request
from distributary.stack.local import LocalStack
from tests.counting import end_offsets, read_topic
from tests.inference_job import InferenceJob, environment, running, wait_until
from tests.senders import Customer, Sender
from tests.servers import unique

PARTITIONS = 4
LOAD = 4_000
# Longer than any restart on a busy machine, so that nothing has a reason to be refused.
PATIENCE = {"retry_s_max": 100, "deadline_ms_default": 120_000}
SETTLED_S_MAX = 120.0


@dataclass(frozen=True)
class UnderLoad:
    """Topics of their own, and a load of requests that a test knows.

    Attributes:
        stack: the servers.
        prefix: of the topics.
        sender: what sends the load.
        customer: who asks.
        environ: the job's environment.
        log: the job's log.
        moment: a random share of the load, from the printed seed.
        asked: all requests sent so far.
    """

    stack: LocalStack
    prefix: str
    sender: Sender
    customer: Customer
    environ: dict[str, str]
    log: Path
    moment: random.Random
    asked: list[Request] = field(default_factory=list)

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return self.stack.settings.kafka

    def start_asking(self, count: int = LOAD) -> None:
        """Sends the load without waiting for it."""
        numbers = range(len(self.asked), len(self.asked) + count)
        requests = [self.customer.request(str(number)) for number in numbers]
        self.sender.start_asking(requests, PARTITIONS)
        self.asked.extend(requests)

    def answers(self) -> int:
        """How many answers stand in the topic."""
        return sum(end_offsets(self.kafka, f"{self.prefix}inference.answers").values())

    def unrecorded(self) -> int:
        """How many answered requests Valkey does not hold as executed: they may run again."""
        with redis.Redis.from_url(self.stack.settings.valkey) as client:
            keys = list(client.scan_iter(count=1_000))
            held = client.mget(keys) if keys else []
        recorded = {v.split(b" ", 2)[1].decode() for v in held if v and v.startswith(b"E ")}
        answers = [s.value for s in read_topic(self.kafka, f"{self.prefix}inference.answers")]
        answered = {f"{a['topic_id']}/{a['partition']}/{a['offset']}" for a in answers}
        return len(answered - recorded)

    def wait_for_a_random_moment(self, count: int = LOAD) -> None:
        """Waits until some share of the load is answered, but by far not all of it."""
        wanted = self.answers() + 1 + int(count * self.moment.uniform(0.0, 0.4))
        wait_until(lambda: self.answers() >= wanted, SETTLED_S_MAX, "the load is not served")


def install(stack: LocalStack, home: Path) -> UnderLoad:
    """A fresh installation; the seed of its random moments is printed, and may be given."""
    prefix = unique("kill") + "."
    settings = replace(stack.settings, topic_prefix=prefix, partitions=PARTITIONS)
    create_topics(settings)
    sender, customer = Sender(settings.kafka, prefix), Customer(prefix)
    sender.publish(customer.state())
    seed = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"TEST_SEED={seed}")
    environ = environment(settings, prefix, home, **PATIENCE)
    log = home / "job.log"
    return UnderLoad(stack, prefix, sender, customer, environ, log, random.Random(seed))


@pytest.fixture
def under_load(killable: LocalStack, tmp_path: Path) -> UnderLoad:
    """An installation without a job."""
    return install(killable, tmp_path)


@pytest.fixture(scope="module")
def shared(
    killable_once: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[UnderLoad, InferenceJob]]:
    """An installation and its job, which lives through all tests of a module, and drains."""
    load = install(killable_once, tmp_path_factory.mktemp("serving"))
    with running(load.environ, load.log) as job:
        yield load, job
        assert job.drain() == 0


@pytest.fixture
def serving(
    killable: LocalStack,
    shared: tuple[UnderLoad, InferenceJob],
) -> UnderLoad:
    """An installation whose job serves, and is the one that it was."""
    load, job = shared
    assert psutil.pid_exists(job.pid)
    return load
