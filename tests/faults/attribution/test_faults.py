"""What kills or stops the attribution job; afterwards I1 and I2 hold."""

import signal

import psutil
import pytest

from distributary.epochs import Closer
from distributary.errors import ExitCode
from distributary.stack.local import LocalStack
from distributary.store import connect
from tests.faults.attribution.load import Load
from tests.faults.stream import Job, Stream, until
from tests.signed_answers import DOMAIN

SLEEPING = "from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"


@pytest.fixture
def load(stream: Stream) -> Load:
    """A load on the stream."""
    return Load(stream)


@pytest.fixture
def halfway(stream: Stream, load: Load) -> Job:
    """A job that has committed something, and has more to do."""
    load.write()
    job = stream.start_job()
    until(lambda: stream.committed() > 0)
    load.write()
    return job


def sleep_before_the_file_is_recorded(stream: Stream) -> None:
    """The first transaction stops where its Parquet is durable and its row is not there yet."""
    with connect(stream.dsn) as connection:
        connection.execute("create sequence sleeps")
        connection.execute(
            """
            create function sleep_once() returns trigger security definer language plpgsql as $$
            begin
                if nextval('sleeps') = 1 then
                    perform pg_sleep(600);
                end if;
                return new;
            end $$
            """
        )
        connection.execute(
            "create trigger sleep_once before insert on lake_files "
            "for each row execute function sleep_once()"
        )


def texts_of(stream: Stream, orphans: set[str]) -> set[str]:
    """Which of these files have texts in the lake."""
    return orphans & {path.stem for path in (stream.lake / "texts").glob("*/*.parquet")}


def test_job__killed_between_parquet_and_commit__the_orphan_is_swept_and_each_answer_booked_once(
    stream: Stream, load: Load
) -> None:
    sleep_before_the_file_is_recorded(stream)
    load.write()
    job = stream.start_job()
    until(lambda: stream.rows(f"select count(*) {SLEEPING}") == [(1,)])
    stream.kill(job)
    # As Postgres does by itself once the statement ends and nobody is there to hear of it.
    stream.rows(f"select pg_terminate_backend(pid) {SLEEPING}")
    orphans = stream.parquet() - stream.recorded()
    assert orphans
    assert texts_of(stream, orphans) == orphans

    load.write()
    load.drain(stream.start_job())
    assert orphans <= stream.parquet() - stream.recorded()
    with connect(stream.dsn, autocommit=True) as connection:
        Closer(stream.lake, DOMAIN).close(connection)
    assert stream.parquet() == stream.recorded()
    assert not texts_of(stream, orphans)
    load.count()


def test_two_jobs__at_once__the_earlier_one_stops_as_superseded(
    stream: Stream, load: Load, halfway: Job
) -> None:
    later = stream.start_job()
    until(lambda: stream.rows("select min(generation) from consumed") == [(2,)])
    load.write()

    assert halfway.wait(120) == ExitCode.SUPERSEDED
    load.drain(later)


def test_job__runner_killed__ends_with_an_error_and_the_next_start_goes_on(
    stream: Stream, load: Load, halfway: Job
) -> None:
    (prism,) = [p for p in psutil.Process(halfway.pid).children(True) if "prism" in p.name()]
    prism.kill()
    assert halfway.wait(60) == ExitCode.FAILED
    stream.kill(halfway)

    load.drain(stream.start_job())


def test_job__terminated_while_postgres_is_away__drains_at_once(
    killable: LocalStack, stream: Stream, load: Load, halfway: Job
) -> None:
    killable.stop("postgres", immediate=True)
    load.write(10)
    until(lambda: b" waits" in stream.log(halfway))
    halfway.send_signal(signal.SIGTERM)

    assert halfway.wait(60) == 0
    killable.start("postgres")
    load.drain(stream.start_job())
