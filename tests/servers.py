"""Real servers for tests: one stack per session, each server started when first asked for.

A test that kills or stops a server uses `own_stack`; all others share the session's servers and
keep apart by `unique`, `fresh_database` and `fresh_valkey`.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from psycopg import sql

from distributary.settings import load_settings
from distributary.stack.local import LocalStack
from distributary.stack.plan import NAMES, fetch_all
from distributary.stack.server import quiet
from distributary.stack.valkey import DATABASES

_numbers = itertools.count(1)


def unique(name: str) -> str:
    """A name that no other test of this session uses, fit for a topic, a group or a database."""
    return f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')[:40]}-{next(_numbers)}"


@pytest.fixture(scope="session")
def servers_cache() -> Path:
    """The folder of fetched servers, with all of them in it.

    An empty cache takes minutes to fill, and a fixture of the session is not timed.
    """
    cache = load_settings().cache.expanduser().resolve()
    fetch_all(NAMES, cache, quiet)
    return cache


@pytest.fixture(scope="session")
def session_stack(
    tmp_path_factory: pytest.TempPathFactory, servers_cache: Path
) -> Iterator[LocalStack]:
    """The session's stack with nothing started; the fixtures below start what they need."""
    home = tmp_path_factory.mktemp("stack")
    with LocalStack(home, (), servers_cache) as stack:
        yield stack


@pytest.fixture
def own_stack(
    tmp_path_factory: pytest.TempPathFactory, servers_cache: Path
) -> Iterator[Callable[..., LocalStack]]:
    """`own_stack("kafka", "postgres", models=None)`: servers that this test may kill."""
    with ExitStack() as stacks:

        def start(*names: str, models: Path | None = None) -> LocalStack:
            home = tmp_path_factory.mktemp("own-stack")
            return stacks.enter_context(LocalStack(home, names, servers_cache, models))

        yield start


@pytest.fixture(scope="session")
def kafka(session_stack: LocalStack) -> str:
    """Bootstrap servers of the session's Kafka."""
    session_stack.start("kafka")
    return session_stack.settings.kafka


@pytest.fixture(scope="session")
def postgres(session_stack: LocalStack) -> str:
    """Superuser's URI of the session's Postgres; make a database with `fresh_database`."""
    session_stack.start("postgres")
    return session_stack.settings.postgres


@pytest.fixture(scope="session")
def valkey(session_stack: LocalStack) -> str:
    """URL of the session's Valkey, database 0; take a database with `fresh_valkey`."""
    session_stack.start("valkey")
    return session_stack.settings.valkey


@pytest.fixture(scope="session")
def triton(session_stack: LocalStack) -> str:
    """gRPC address, `host:port`, of the session's Triton with the project's models."""
    session_stack.start("triton")
    return session_stack.settings.triton_trusted


@pytest.fixture(scope="session")
def prism(session_stack: LocalStack) -> str:
    """Path of the Prism program."""
    session_stack.start("prism")
    return session_stack.settings.prism


@pytest.fixture(scope="session")
def stack(session_stack: LocalStack) -> LocalStack:
    """The session's stack with everything started; `stack.settings` has all endpoints."""
    session_stack.start(*NAMES)
    return session_stack


@pytest.fixture
def fresh_database(postgres: str) -> Iterator[Callable[[], str]]:
    """`fresh_database()` makes an empty database and returns its URI; it goes with the test."""
    names: list[str] = []

    def make() -> str:
        names.append(unique("test").replace("-", "_"))
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(names[-1])))
        return urlsplit(postgres)._replace(path=f"/{names[-1]}").geturl()

    yield make
    with psycopg.connect(postgres, autocommit=True) as connection:
        for name in names:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)


@pytest.fixture
def fresh_valkey(valkey: str) -> str:
    """URL of an empty Valkey database that no running test uses."""
    url = urlsplit(valkey)._replace(path=f"/{next(_numbers) % (DATABASES - 1) + 1}").geturl()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url
