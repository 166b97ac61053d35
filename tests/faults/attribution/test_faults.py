"""What kills, stops or hinders the attribution job; afterwards I1 and I2 hold."""

from distributary.answers import Answer
from tests.faults.attribution.stream import Stream, count_independently
from tests.signed_answers import Customer

GOOD = 400


def written(stream: Stream, numbers: range) -> list[Answer]:
    """Writes good answers among duplicates, refusals and rubbish; returns the good ones."""
    customer = Customer()
    good = [stream.answer(customer, number) for number in numbers]
    others: list[Answer | bytes] = [answer for answer in good if answer.offset % 10 == 0]
    others += [customer.refused(number + 10**6) for number in numbers if number % 7 == 0]
    others += [b"rubbish" for number in numbers if number % 50 == 0]
    stream.produce([*good, *others])
    return good


def test_job__nothing_fails__books_every_record_and_drains(stream: Stream) -> None:
    stream.register(Customer())
    good = written(stream, range(GOOD))
    job = stream.start_job()
    stream.wait_until_committed()
    job.terminate()

    assert job.wait(60) == 0
    count_independently(stream, good)
