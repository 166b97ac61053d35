"""A database with the schema, a lane and a committer, for the tests of the store."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from distributary.recording.records import Lane
from distributary.store import connect, migrate
from distributary.store.commit import Committer
from distributary.store.lanes import open_lane
from tests.signed_answers import DOCUMENTS

IDS = {hash_: number for number, hash_ in enumerate(DOCUMENTS, 1)}


@pytest.fixture
def dsn(fresh_database: Callable[[], str]) -> str:
    """A database with the schema."""
    dsn = fresh_database()
    migrate(dsn)
    return dsn


@pytest.fixture
def owner(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the owner of the schema."""
    with connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the job's own role, which may do no more than it must."""
    with connect(dsn, autocommit=True) as connection:
        connection.execute("set role distributary_attribution")
        yield connection


@pytest.fixture
def committer(tmp_path: Path) -> Committer:
    """Commits into a lake of this test; files are named 0, 1, 2, …"""
    numbers = itertools.count()
    return Committer(tmp_path / "lake", IDS, lambda: str(next(numbers)))


@pytest.fixture
def lane(connection: psycopg.Connection[Any]) -> Lane:
    """Partition 0, opened at offset 0."""
    return open_lane(connection, "answers-topic", "inference.answers", 0, 0).lane
