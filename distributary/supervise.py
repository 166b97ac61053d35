"""Supervision of a job: restart with back-off, give up loudly, pass a request to stop on."""

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from distributary.errors import ExitCode, GaveUpError

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1  # prctl(2)
# A restart mends none of these.
FINAL = (ExitCode.OK, ExitCode.USAGE, ExitCode.INPUT, ExitCode.SUPERSEDED)


@dataclass(frozen=True)
class Policy:
    """When to restart.

    Attributes:
        pause_s_min: before the first restart; doubles with each failure in a row.
        pause_s_max: the longest pause.
        failures_max: this many failures in a row are given up on.
        steady_s: a run this long ends a row of failures.
    """

    pause_s_min: float = 0.1
    pause_s_max: float = 15.0
    failures_max: int = 12
    steady_s: float = 60.0

    def pause_s(self, failures: int) -> float:
        """The pause after so many failures in a row, at least one."""
        return float(min(self.pause_s_min * 2 ** (failures - 1), self.pause_s_max))


def supervise(
    command: Sequence[str],
    policy: Policy,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Runs a command until it ends by itself or is told to stop; call it on the main thread.

    SIGTERM and SIGINT are passed on, so that the job drains.

    Returns:
        The exit code of the last run: 0 after a drain, or a mistake that no restart mends.

    Raises:
        GaveUpError: `failures_max` failures in a row.
    """
    stopping = False
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    failures = 0
    while True:
        started = clock()
        child = subprocess.Popen(command, start_new_session=True, preexec_fn=die_with_parent)
        if stopping:  # told so while the child was being made: the handler had no child to tell
            child.send_signal(signal.SIGTERM)
        code = child.wait()
        _end_group(child.pid)
        if stopping or code in FINAL:
            return max(code, 0)
        failures = 1 if clock() - started > policy.steady_s else failures + 1
        if failures >= policy.failures_max:
            raise GaveUpError(
                f"The job failed {failures} times in a row: read its log, mend the cause and run "
                "it again. Nothing is lost; requests wait in Kafka."
            )
        pause_s = policy.pause_s(failures)
        log.warning({"msg": "job failed", "code": code, "failures": failures, "pause_s": pause_s})
        sleep(pause_s)
        if stopping:
            return ExitCode.OK


def die_with_parent() -> None:
    """Runs in a child, as `preexec_fn`: it drains when its parent is killed (Linux).

    The signal follows the thread that made the child: start it from one that lives as long.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_group(group: int) -> None:
    """Ends what a killed job has left, its runner above all."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
