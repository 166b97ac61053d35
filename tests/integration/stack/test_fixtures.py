"""The fixtures that other tests build on keep tests apart."""

from collections.abc import Callable

import psycopg
import redis


def test_fresh_database__called_twice__gives_two_empty_databases(
    fresh_database: Callable[[], str],
) -> None:
    first, second = fresh_database(), fresh_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1")

    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_fresh_valkey__asked_for__is_an_empty_database(fresh_valkey: str) -> None:
    with redis.Redis.from_url(fresh_valkey) as client:
        assert client.dbsize() == 0
