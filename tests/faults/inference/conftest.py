"""Servers that these tests may kill, with the simulated model alone, and a load on them."""

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis

from distributary.kafka import create_topics
from distributary.settings import load_settings
from distributary.stack.local import LocalStack
from tests.counting import end_offsets, read_topic
from tests.inference_job import ROOT, environment, wait_until
from tests.senders import Customer, Sender
from tests.servers import unique

PARTITIONS = 4
SERVICE_MS = 200  # of a batch of 64: eight in flight make about 2,500 requests a second
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
    """

    stack: LocalStack
    prefix: str
    sender: Sender
    customer: Customer
    environ: dict[str, str]
    log: Path
    moment: random.Random

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return self.stack.settings.kafka

    def start_asking(self, count: int = LOAD) -> None:
        """Sends the load without waiting for it."""
        requests = [self.customer.request(str(number)) for number in range(count)]
        self.sender.start_asking(requests, PARTITIONS)

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


@pytest.fixture(scope="package")
def killable_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Kafka, Valkey, Prism and Triton of this package's own."""
    home = tmp_path_factory.mktemp("killable")
    models = home / "only-simulated"
    shutil.copytree(ROOT / "triton_models" / "simulated", models / "simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTRIBUTARY_SIMULATED_MS", str(SERVICE_MS))
        names = ("kafka", "valkey", "triton", "prism")
        with LocalStack(home, names, load_settings().cache, models) as stack:
            yield stack


@pytest.fixture
def under_load(killable_stack: LocalStack, tmp_path: Path) -> UnderLoad:
    """A fresh installation; the seed of its random moments is printed, and may be given."""
    killable_stack.start("kafka", "valkey", "triton")
    prefix = unique("kill") + "."
    settings = replace(killable_stack.settings, topic_prefix=prefix, partitions=PARTITIONS)
    create_topics(settings)
    sender, customer = Sender(settings.kafka, prefix), Customer(prefix)
    sender.publish(customer.state())
    seed = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"TEST_SEED={seed}")
    environ = environment(settings, prefix, tmp_path, **PATIENCE)
    log = tmp_path / "job.log"
    return UnderLoad(killable_stack, prefix, sender, customer, environ, log, random.Random(seed))
