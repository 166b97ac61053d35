"""One job, and everything that it needs taken away in turn: it waits, commits nothing, goes on."""

import os
import resource
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from distributary.errors import UnavailableError
from distributary.stack.local import LocalStack
from distributary.store import connect
from tests.faults.attribution.load import Load
from tests.faults.stream import Job, Stream, open_stream, until

# Above what a job logs here and below the Parquet of a bundle.
FILE_BYTES_MAX = 32_768
# An attempt that is under way may be about to delete what it could not finish.
HALF_WRITTEN_S_MAX = 20.0


@dataclass(frozen=True)
class Running:
    """A job and what it needs; `disk` says whether the lake has a small disk of its own."""

    stack: LocalStack
    stream: Stream
    load: Load
    job: Job
    disk: bool


def mount(lake: Path, *options: str) -> bool:
    """Mounts a disk of 16 MiB; False without the right to."""
    return not subprocess.run(
        ["mount", "-t", "tmpfs", *options, "tmpfs", str(lake)], check=False, capture_output=True
    ).returncode


@pytest.fixture(scope="module")
def shared(
    killable_once: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The job of all these tests; it lives through them, and drains."""
    killable_once.start("kafka", "postgres", "triton")
    lake = tmp_path_factory.mktemp("outages") / "lake"
    lake.mkdir()
    disk = mount(lake, "-o", "size=16m")
    stream = open_stream(killable_once, lake)
    try:
        load = Load(stream)
        load.write()
        job = stream.start_job()
        load.count()
        yield Running(killable_once, stream, load, job, disk)
        load.drain(job)
    finally:
        stream.end_jobs()
        if disk:
            subprocess.run(["umount", "-l", str(lake)], check=True)


@pytest.fixture
def running(killable: LocalStack, shared: Running) -> Running:
    """The job, with all that it needs."""
    assert shared.job.poll() is None
    return shared


Outage = Callable[[Running], AbstractContextManager[None]]


@contextmanager
def postgres_stopped(running: Running) -> Iterator[None]:
    """`pg_ctl stop -m immediate`."""
    running.stack.stop("postgres", immediate=True)
    try:
        yield
    finally:
        running.stack.start("postgres")


@contextmanager
def killed(running: Running, name: str) -> Iterator[None]:
    """`kill -9`."""
    running.stack.kill(name)
    try:
        yield
    finally:
        running.stack.start(name)


@contextmanager
def index_gone(running: Running) -> Iterator[None]:
    """The model finds no index."""
    away = running.stream.knobs / "no-index"
    away.touch()
    try:
        yield
    finally:
        away.unlink()


@contextmanager
def files_limited(running: Running) -> Iterator[None]:
    """The job cannot write a file as long as its Parquet; needs no rights."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    limited = (FILE_BYTES_MAX, resource.RLIM_INFINITY)
    resource.prlimit(running.job.pid, resource.RLIMIT_FSIZE, limited)
    try:
        yield
    finally:
        resource.prlimit(running.job.pid, resource.RLIMIT_FSIZE, unlimited)


@contextmanager
def disk_full(running: Running) -> Iterator[None]:
    """Not a page is left on the lake's disk."""
    if not running.disk:
        pytest.skip("no right to mount a small disk here")
    filler = running.stream.lake / "filler"
    try:
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        yield
    finally:
        filler.unlink()


@contextmanager
def lake_read_only(running: Running) -> Iterator[None]:
    """A read-only disk, or without the right to mount one a folder without the right to write.

    Root writes where he has no right to: without a disk, a file in the folder's place stops him.
    """
    (folder,) = (running.stream.lake / "answers").iterdir()
    if running.disk:
        until(lambda: mount(running.stream.lake, "-o", "remount,ro"))
        try:
            yield
        finally:
            assert mount(running.stream.lake, "-o", "remount,rw")
        return
    kept = folder.rename(folder.with_name("kept"))
    if os.geteuid():
        folder.mkdir(mode=0o500)
    else:
        folder.touch()
    try:
        yield
    finally:
        folder.rmdir() if folder.is_dir() else folder.unlink()
        kept.rename(folder)


READ_ONLY = (b"Read-only file system", b"Permission denied", b"Not a directory")


@pytest.mark.parametrize(
    ("outage", "words"),
    [
        pytest.param(files_limited, (b"File too large",), id="no file as long as that"),
        pytest.param(disk_full, (b"No space left on device",), id="disk full"),
        pytest.param(lake_read_only, READ_ONLY, id="lake read-only"),
        pytest.param(index_gone, (b"index_unavailable",), id="index gone"),
        pytest.param(lambda r: killed(r, "triton"), (b"not attribute",), id="Triton kill -9"),
        pytest.param(postgres_stopped, (b" waits",), id="Postgres stop -m immediate"),
        pytest.param(lambda r: killed(r, "postgres"), (b" waits",), id="Postgres kill -9"),
    ],
)
def test_job__something_is_away__waits_with_nothing_published_and_goes_on_when_it_is_back(
    running: Running, outage: Outage, words: tuple[bytes, ...]
) -> None:
    stream = running.stream
    logged, files, recorded = len(stream.log(running.job)), stream.parquet(), stream.recorded()
    with outage(running):
        running.load.write()
        until(lambda: any(word in stream.log(running.job)[logged:] for word in words))
        until(lambda: stream.parquet() == files, HALF_WRITTEN_S_MAX)
        with suppress(UnavailableError):  # Postgres itself may be away
            assert stream.recorded() == recorded
        assert running.job.poll() is None
    running.load.count()


def test_job__kafka_killed__goes_on_when_it_is_back(running: Running) -> None:
    running.load.write()
    with killed(running, "kafka"):
        assert running.job.poll() is None
    running.load.write()
    running.load.count()


def test_bundle__fails_once__is_read_again_and_the_job_goes_on(running: Running) -> None:
    stream = running.stream
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
    logged = len(stream.log(running.job))
    running.load.write()
    running.load.count()
    assert b"a bundle is read again" in stream.log(running.job)[logged:]


def test_rows__cannot_be_stored__are_quarantined_and_the_rest_is_booked(running: Running) -> None:
    stream, load = running.stream, running.load

    def reasons() -> Counter[str]:
        rows = stream.rows("select reason, count(*) from quarantine group by reason")
        return Counter(dict(rows))

    before, number = reasons(), 10**7
    nul = stream.answer(load.customer, number, id="nul \0 inside")
    half = stream.answer(load.customer, number + 1, node="HALF").payload()
    stream.produce([nul, b'{"status":"executed"}', half.replace(b"HALF", rb"\ud800")])
    load.write(200)
    refused = stream.answer(load.customer, number + 2, text="refuse me")
    breaking = stream.answer(load.customer, number + 3, text="break the batch")
    stream.produce([refused, breaking])
    load.write(200)
    load.count()
    assert reasons() - before == {"unreadable": 2 + 8, "not_storable": 1, "not_attributed": 2}
