"""Servers that these tests may kill, and for each test a stream of its own on them."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from distributary.settings import load_settings
from distributary.stack.local import LocalStack
from distributary.store import connect
from tests.faults.attribution.stream import Stream
from tests.servers import unique

MODELS = Path(__file__).parent / "models"
SERVERS = ("kafka", "postgres", "triton", "prism")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Kafka, Postgres, Triton with the double of `attribute`, and Prism; not the session's."""
    home = tmp_path_factory.mktemp("attribution-faults")
    with LocalStack(home, SERVERS, load_settings().cache, MODELS) as stack:
        yield stack


@pytest.fixture
def stack(servers: LocalStack) -> LocalStack:
    """The servers, all of them alive."""
    servers.start(*SERVERS[:3])
    return servers


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """The lake of one test."""
    return tmp_path / "lake"


@pytest.fixture
def small_lake(lake: Path) -> Iterator[None]:
    """Puts the lake on a disk of its own of 4 MiB."""
    lake.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(lake)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    yield
    subprocess.run(["umount", "-l", str(lake)], check=True)


@pytest.fixture
def stream(stack: LocalStack, lake: Path) -> Iterator[Stream]:
    """An empty stream of two partitions."""
    name = unique("stream")
    with connect(stack.settings.postgres, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    dsn = urlsplit(stack.settings.postgres)._replace(path=f"/{name}").geturl()
    settings = replace(stack.settings, partitions=2, topic_prefix=f"{name}.")
    stream = Stream(settings, dsn, lake, knobs=stack.settings.lake_path)
    yield stream
    stream.end_jobs()
