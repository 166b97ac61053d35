"""A place that one process at a time has, for as long as its connection to Postgres lives."""

import time
from typing import Any, Final

from psycopg import Connection

# Postgres notices the connection of a killed process a little later than whoever takes its place.
HANDOVER_S: Final = 2.0
LOOK_S: Final = 0.02


def take_place(connection: Connection[Any], lock: int, wait_s: float = HANDOVER_S) -> bool:
    """Takes an advisory lock for the connection's life; False if another one keeps it.

    Args:
        connection: any; the lock goes with it.
        lock: the lock's number.
        wait_s: how long the one who had it may take to go.
    """
    deadline = time.monotonic() + wait_s
    while True:
        row = connection.execute("select pg_try_advisory_lock(%s)", (lock,)).fetchone()
        if row is not None and row[0]:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
