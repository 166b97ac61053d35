"""One database with the schema for all tests of dbt here, and dbt for both of its targets."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from distributary.store import migrate
from orchestration.dbt import Dbt
from tests.integration.dbt.worlds import World, make_rules, prepare
from tests.servers import unique


@pytest.fixture(scope="module")
def dsn(postgres: str) -> Iterator[str]:
    """A database with the schema, for all tests of dbt: parsing the project costs seconds."""
    name = unique("dbt").replace("-", "_")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="module")
def world(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> World:
    """An empty lake and a prepared database."""
    migrate(dsn)
    prepare(dsn)
    folder = tmp_path_factory.mktemp("world")
    return World(dsn, folder / "lake", folder / "rules", splits=make_rules(folder / "rules"))


@pytest.fixture(scope="module")
def analyst(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """dbt as analysts run it."""
    return Dbt(dsn, tmp_path_factory.mktemp("dbt-analyst"), "analyst")


@pytest.fixture(scope="module")
def settlement(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """dbt as settlement runs it."""
    return Dbt(dsn, tmp_path_factory.mktemp("dbt-settlement"), "settlement")
