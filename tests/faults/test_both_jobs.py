"""Both jobs under `distributary run`, from signed requests in Kafka to charges in the books.

The count is made from Kafka, Postgres and Parquet, without the code of either job.
"""

import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import pytest

from distributary.datanets.opening import open_registrar
from distributary.datanets.reading import Defaults, read_all
from distributary.requests import Request
from distributary.stack.local import LocalStack
from distributary.stack.server import quiet
from tests.counting import Books, count_when_answered, end_offsets
from tests.faults.stream import Job, Stream, count_charges, open_stream, until
from tests.senders import Customer, Sender, question

LOAD = 3_000
WAIT_S = 120.0
# How long Postgres is away; docs/operations.md says how to try it with the five minutes.
AWAY_S = float(os.environ.get("TEST_POSTGRES_AWAY_S", "5"))
A_SECOND = 20


@dataclass(frozen=True)
class BothJobs:
    """Two supervised jobs on one stream, and what they were asked."""

    stack: LocalStack
    stream: Stream
    inference: Job
    attribution: Job
    sender: Sender
    customer: Customer
    asked: list[Request] = field(default_factory=list)

    def start_asking(self, count: int) -> None:
        """Sends requests without waiting."""
        numbers = range(len(self.asked), len(self.asked) + count)
        requests = [
            self.customer.request(str(n), question(f"the ferry number {n}", datanet="harbour"))
            for n in numbers
        ]
        self.sender.start_asking(requests, self.stream.settings.partitions)
        self.asked.extend(requests)

    def answers(self) -> int:
        """How many answers stand in the topic."""
        return sum(end_offsets(self.stream.settings.kafka, self.stream.topic).values())

    def process(self, job: Job) -> psutil.Process:
        """The job itself, under its supervisor."""
        found: list[psutil.Process] = []

        def there() -> bool:
            found[:] = psutil.Process(job.pid).children()
            return len(found) == 1

        until(there)
        return found[0]

    def settled(self) -> Books:
        """The books once everything is answered, and each request executed at least once."""
        self.sender.settle()
        settings = self.stream.settings
        books = count_when_answered(settings.kafka, settings.topic_prefix, WAIT_S)
        assert sum(books.ends.values()) == len(self.asked)
        assert not books.dead
        assert set(books.executed) == {each.purchase.request_hash for each in self.asked}
        return books


def charges(books: Books) -> dict[str, int]:
    """Base units by request hash, the same on each answer that was executed."""
    found: dict[str, set[int]] = defaultdict(set)
    for answers in books.answers.values():
        for seen in answers:
            if seen.value["status"] == "executed":
                found[seen.value["request_hash"]].add(int(seen.value["charge_units"]))
    assert all(len(units) == 1 for units in found.values())
    return {hash_: units.pop() for hash_, units in found.items()}


def count_all(both: BothJobs) -> Books:
    """Asserts that each signed request is on the books once, at the price of its answer."""
    books = both.settled()
    both.stream.wait_until_committed()
    count_charges(both.stream, charges(books))
    duplicates = both.stream.rows("select count(*) from answers where outcome = 'duplicate'")
    assert duplicates == [(books.executed_again,)]
    return books


@pytest.fixture(scope="module")
def shared(
    killable_once: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BothJobs]:
    """Both jobs, with a datanet to answer from; they drain with exit code 0."""
    killable_once.start("kafka", "postgres", "valkey", "triton")
    home = tmp_path_factory.mktemp("both-jobs")
    stream = open_stream(killable_once, home / "lake")
    notes = home / "notes.txt"
    notes.write_text("The ferry to Holm leaves at 06:40 on weekdays.")
    settings = stream.job_settings()
    with open_registrar(settings, quiet) as registrar:
        registrar.add_documents("harbour", read_all([notes], Defaults("author", "CC0-1.0")))
    sender = Sender(settings.kafka, settings.topic_prefix)
    customer = Customer(settings.topic_prefix)
    stream.register(customer)
    sender.publish(customer.state())
    jobs = [stream.start_job("distributary", "run", name) for name in ("inference", "attribution")]
    try:
        both = BothJobs(killable_once, stream, *jobs, sender, customer)
        both.start_asking(1)
        count_all(both)
        yield both
        for job in jobs:
            job.terminate()
        assert [job.wait(90) for job in jobs] == [0, 0]
    finally:
        stream.end_jobs()


@pytest.fixture
def both(killable: LocalStack, shared: BothJobs) -> BothJobs:
    """Both jobs, under the supervisors that they had from the beginning."""
    assert [job.poll() for job in (shared.inference, shared.attribution)] == [None, None]
    return shared


@pytest.mark.timeout(AWAY_S + 300)
def test_postgres__away_for_minutes__answers_go_on_and_the_same_job_commits_all_when_it_is_back(
    both: BothJobs,
) -> None:
    attribution = both.process(both.attribution)
    both.stack.stop("postgres", immediate=True)
    back_at = time.monotonic() + AWAY_S
    while time.monotonic() < back_at:
        both.start_asking(A_SECOND)
        time.sleep(1.0)
        until(lambda: both.answers() >= len(both.asked))
    both.settled()
    both.stack.start("postgres")

    count_all(both)
    assert both.process(both.attribution) == attribution


def test_both_jobs__killed_in_the_middle__each_request_is_charged_once_though_some_ran_twice(
    both: BothJobs,
) -> None:
    seed = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"TEST_SEED={seed}")
    before, wanted = both.answers(), int(LOAD * random.Random(seed).uniform(0.05, 0.5))
    killed = [both.process(job) for job in (both.inference, both.attribution)]
    both.start_asking(LOAD)
    until(lambda: both.answers() >= before + wanted)
    # Without what Valkey knew, all that was answered beyond the committed mark runs again.
    both.stack.kill("valkey")
    for process in killed:
        process.kill()
    both.stack.start("valkey")
    assert both.answers() < before + LOAD

    books = count_all(both)
    assert books.executed_again > 0
    started = [both.process(job) for job in (both.inference, both.attribution)]
    assert not set(started) & set(killed)
