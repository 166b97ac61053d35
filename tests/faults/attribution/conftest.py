"""Servers that these tests may kill, and a stream on them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from distributary.stack.local import LocalStack
from distributary.store import connect
from tests.faults.attribution.stream import Stream

MODELS = Path(__file__).parent / "models"
SERVERS = ("kafka", "postgres", "triton", "prism")


@pytest.fixture
def stack(own_stack: Callable[..., LocalStack]) -> LocalStack:
    """Kafka, Postgres, Triton with the double of `attribute`, and Prism."""
    return own_stack(*SERVERS, models=MODELS)


@pytest.fixture
def stream(stack: LocalStack) -> Iterator[Stream]:
    """An empty stream of two partitions."""
    with connect(stack.settings.postgres, autocommit=True) as connection:
        connection.execute("create database stream")
    dsn = urlsplit(stack.settings.postgres)._replace(path="/stream").geturl()
    settings = replace(stack.settings, partitions=2)
    stream = Stream(settings, dsn, settings.lake_path)
    yield stream
    stream.end_jobs()
