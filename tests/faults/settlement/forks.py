"""A settler in a process of its own, forked from the test, which stops or kills itself."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import psycopg

from tests.settlement_world import World, run


def settle(world: World, checkpoint: Callable[[str], None], **options: Any) -> int:
    """Starts a run of settlement in a child; its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        run(world, checkpoint=checkpoint, **options)
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)


def wait(pid: int) -> int:
    """How a child ended: 0, its exit code, or the negative number of a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def place(dsn: str, name: str) -> str:
    """Where a run is: the checkpoint, the transaction in flight, and how many are done."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            """
            select count(*) filter (where state = 'finalized'),
                max(purpose) filter (where state in ('reserved', 'broadcast', 'mined'))
            from transactions
            """
        ).fetchone()
    return f"{name} {row}"


def in_flight(dsn: str) -> str:
    """What the transaction in flight is for."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            """
            select max(purpose) from transactions
            where state in ('reserved', 'broadcast', 'mined')
            """
        ).fetchone()
    return str(row)


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop_self() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
