"""What the test writes into a stream, and remembers to count it."""

from dataclasses import dataclass, field

from distributary.answers import Answer
from tests.faults.stream import Job, Stream, count_independently
from tests.signed_answers import Customer

GOOD = 600


@dataclass
class Load:
    """Good answers among duplicates, refusals and rubbish."""

    stream: Stream
    customer: Customer = field(default_factory=Customer)
    good: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stream.register(self.customer)

    def write(self, count: int = GOOD) -> None:
        """Writes so many good answers, and others among them."""
        numbers = range(len(self.good), len(self.good) + count)
        good = [self.stream.answer(self.customer, number) for number in numbers]
        others: list[Answer | bytes] = [answer for answer in good if answer.offset % 10 == 0]
        others += [self.customer.refused(n + 10**6) for n in numbers if n % 7 == 0]
        others += [b"rubbish" for n in numbers if n % 50 == 0]
        self.stream.produce([*good, *others])
        self.good += good

    def count(self) -> None:
        """Waits until all is committed, and counts it."""
        self.stream.wait_until_committed()
        count_independently(self.stream, self.good)

    def drain(self, job: Job) -> None:
        """The job catches up with Kafka and ends well, and the count is right."""
        self.stream.wait_until_committed()
        job.terminate()
        assert job.wait(60) == 0
        count_independently(self.stream, self.good)
