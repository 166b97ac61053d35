"""What kills, stops or hinders the attribution job; afterwards I1 and I2 hold."""

import signal
import subprocess
from contextlib import suppress

import psutil
import pytest

from distributary.answers import Answer
from distributary.errors import ExitCode
from distributary.stack.local import LocalStack
from distributary.store import connect
from tests.faults.attribution.stream import Stream, count_independently, until
from tests.signed_answers import Customer

GOOD = 600
Job = subprocess.Popen[bytes]


def written(stream: Stream, numbers: range) -> list[Answer]:
    """Writes good answers among duplicates, refusals and rubbish; returns the good ones."""
    customer = Customer()
    good = [stream.answer(customer, number) for number in numbers]
    others: list[Answer | bytes] = [answer for answer in good if answer.offset % 10 == 0]
    others += [customer.refused(number + 10**6) for number in numbers if number % 7 == 0]
    others += [b"rubbish" for number in numbers if number % 50 == 0]
    stream.produce([*good, *others])
    return good


@pytest.fixture
def halfway(stream: Stream) -> tuple[Job, list[Answer]]:
    """A job that has committed something, and has more to do."""
    stream.register(Customer())
    good = written(stream, range(GOOD))
    job = stream.start_job()
    until(lambda: stream.committed() > 0)
    return job, good + written(stream, range(GOOD, 2 * GOOD))


def drained(stream: Stream, job: Job) -> None:
    """The job catches up with Kafka and ends well."""
    stream.wait_until_committed()
    job.terminate()
    assert job.wait(60) == 0


def test_job__nothing_fails__books_every_record_and_drains(
    stream: Stream, halfway: tuple[Job, list[Answer]]
) -> None:
    job, good = halfway
    drained(stream, job)
    count_independently(stream, good)


def test_job__killed_midway_and_started_again__goes_on_from_postgres(
    stream: Stream, halfway: tuple[Job, list[Answer]]
) -> None:
    job, good = halfway
    stream.kill(job)
    drained(stream, stream.start_job())
    count_independently(stream, good)


def test_two_jobs__at_once__the_earlier_one_stops_as_superseded(
    stream: Stream, halfway: tuple[Job, list[Answer]]
) -> None:
    earlier, good = halfway
    later = stream.start_job()
    until(lambda: stream.rows("select min(generation) from consumed") == [(2,)])
    good += written(stream, range(2 * GOOD, 3 * GOOD))

    assert earlier.wait(120) == ExitCode.SUPERSEDED
    drained(stream, later)
    count_independently(stream, good)


@pytest.mark.parametrize("how", ["stop -m immediate", "kill -9"])
def test_job__postgres_goes_away__waits_and_commits_when_it_is_back(
    stack: LocalStack, stream: Stream, halfway: tuple[Job, list[Answer]], how: str
) -> None:
    job, good = halfway
    if how == "kill -9":
        stack.kill("postgres")
    else:
        stack.stop("postgres", immediate=True)
    good += written(stream, range(2 * GOOD, 3 * GOOD))
    until(lambda: b"a bundle waits" in stream.log(job) or b"a lane waits" in stream.log(job))
    assert job.poll() is None
    stack.start("postgres")

    drained(stream, job)
    count_independently(stream, good)


def test_job__triton_killed__commits_nothing_until_it_is_back(
    stack: LocalStack, stream: Stream, halfway: tuple[Job, list[Answer]]
) -> None:
    job, good = halfway
    stack.kill("triton")
    good += written(stream, range(2 * GOOD, 3 * GOOD))
    until(lambda: b"a bundle waits" in stream.log(job))
    assert job.poll() is None
    stack.start("triton")

    drained(stream, job)
    count_independently(stream, good)


def test_job__index_not_available__commits_nothing_and_goes_on_when_it_is(stream: Stream) -> None:
    stream.register(Customer())
    good = written(stream, range(100))
    away = stream.knobs / "no-index"
    away.touch()
    job = stream.start_job()
    until(lambda: b"index_unavailable" in stream.log(job))
    assert stream.rows("select count(*) from answers where outcome = 'charged'") == [(0,)]
    away.unlink()

    drained(stream, job)
    count_independently(stream, good)


def test_job__runner_killed__fails_and_the_next_start_goes_on(
    stream: Stream, halfway: tuple[Job, list[Answer]]
) -> None:
    job, good = halfway
    (prism,) = [p for p in psutil.Process(job.pid).children(True) if "prism" in p.name()]
    prism.kill()
    with suppress(subprocess.TimeoutExpired):
        job.wait(20)
    stream.kill(job)

    drained(stream, stream.start_job())
    count_independently(stream, good)


def test_job__kafka_killed__goes_on_when_it_is_back(
    stack: LocalStack, stream: Stream, halfway: tuple[Job, list[Answer]]
) -> None:
    job, good = halfway
    stack.kill("kafka")
    stack.start("kafka")
    good += written(stream, range(2 * GOOD, 3 * GOOD))

    drained(stream, job)
    count_independently(stream, good)


def test_bundle__fails_once__is_read_again_and_the_job_goes_on(stream: Stream) -> None:
    stream.register(Customer())
    with connect(stream.dsn) as connection:
        connection.execute("create sequence failures")
        connection.execute(
            """
            create function fail_once() returns trigger security definer language plpgsql as $$
            begin
                if nextval('failures') = 1 then
                    raise exception 'as the test asked' using errcode = 'internal_error';
                end if;
                return new;
            end $$
            """
        )
        connection.execute(
            "create trigger fail_once before insert on lake_files "
            "for each row execute function fail_once()"
        )
    good = written(stream, range(GOOD))
    job = stream.start_job()

    drained(stream, job)
    assert b"a bundle is read again" in stream.log(job)
    count_independently(stream, good)


def test_rows__cannot_be_stored__are_quarantined_and_the_rest_is_booked(stream: Stream) -> None:
    customer = Customer()
    stream.register(customer)
    nul = stream.answer(customer, 10**6, id="nul \0 inside")
    half = stream.answer(customer, 10**6 + 1, node="HALF").payload().replace(b"HALF", rb"\ud800")
    stream.produce([nul, b'{"status":"executed"}', half])
    refused = stream.answer(customer, 10**6 + 2, text="refuse me")
    breaking = stream.answer(customer, 10**6 + 3, text="break the batch")
    good = written(stream, range(200))
    stream.produce([refused, breaking])
    good += written(stream, range(200, 400))
    job = stream.start_job()

    drained(stream, job)
    reasons = dict(stream.rows("select reason, count(*) from quarantine group by reason"))
    assert reasons == {"unreadable": 2 + 8, "not_storable": 1, "not_attributed": 2}
    count_independently(stream, good)


def test_lake__disk_full__publishes_nothing_and_goes_on_when_there_is_room(
    small_lake: None, stream: Stream
) -> None:
    stream.register(Customer())
    filler = stream.lake / "filler"
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    good = written(stream, range(GOOD))
    job = stream.start_job()
    until(lambda: b"No space left" in stream.log(job))
    assert stream.committed() == 0
    assert stream.rows("select count(*) from lake_files") == [(0,)]
    filler.unlink()

    drained(stream, job)
    count_independently(stream, good)


def test_lake__folder_cannot_be_written__publishes_nothing_and_goes_on_when_it_can(
    stream: Stream,
) -> None:
    stream.register(Customer())
    blocked = stream.lake / "answers"
    blocked.write_text("a file where the folder should be")
    good = written(stream, range(GOOD))
    job = stream.start_job()
    until(lambda: b"a bundle waits" in stream.log(job))
    assert stream.committed() == 0
    blocked.unlink()

    drained(stream, job)
    count_independently(stream, good)


def test_job__terminated_while_postgres_is_away__drains_at_once(
    stack: LocalStack, stream: Stream, halfway: tuple[Job, list[Answer]]
) -> None:
    job, good = halfway
    stack.stop("postgres", immediate=True)
    written(stream, range(2 * GOOD, 2 * GOOD + 10))
    until(lambda: b"a bundle waits" in stream.log(job) or b"a lane waits" in stream.log(job))
    job.send_signal(signal.SIGTERM)

    assert job.wait(60) == 0
    stack.start("postgres")
    good += [stream.answer(Customer(), number) for number in range(2 * GOOD, 2 * GOOD + 10)]
    drained(stream, stream.start_job())
    count_independently(stream, good)
