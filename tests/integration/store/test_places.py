"""A place of one process at a time: kept while its connection lives, and handed over after."""

import threading
from collections.abc import Callable

import psycopg

from distributary.store.places import take_place

LOCK = 77


def test_take_place__another_one_keeps_it__is_false(fresh_database: Callable[[], str]) -> None:
    dsn = fresh_database()
    with psycopg.connect(dsn) as first, psycopg.connect(dsn) as second:
        assert take_place(first, LOCK)
        assert not take_place(second, LOCK, 0.1)


def test_take_place__whoever_had_it_is_about_to_go__waits_for_that(
    fresh_database: Callable[[], str],
) -> None:
    dsn = fresh_database()
    with psycopg.connect(dsn) as first, psycopg.connect(dsn) as second:
        assert take_place(first, LOCK)
        leaving = threading.Timer(0.1, first.close)
        leaving.start()

        assert take_place(second, LOCK, 60.0)
