"""A database with the schema."""

from collections.abc import Callable, Iterator

import pytest

from distributary.store import connect, migrate
from orchestration.chain.rows import Database


@pytest.fixture
def dsn(fresh_database: Callable[[], str]) -> str:
    dsn = fresh_database()
    migrate(dsn)
    return dsn


@pytest.fixture
def database(dsn: str) -> Iterator[Database]:
    with connect(dsn, autocommit=True) as connection:
        yield connection
