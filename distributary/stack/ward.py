"""One server under supervision: when it is started again, and when that is given up."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from distributary.errors import DistributaryError
from distributary.stack.process import Identity, ServerProcess
from distributary.stack.server import Server

FAILURES_IN_A_ROW_MAX = 5
BACKOFF_S_FIRST = 0.5
BACKOFF_S_MAX = 30.0
STEADY_S = 60.0  # a server that stayed ready this long has its failures forgiven


class Process(Protocol):
    """What a ward needs of a process; `ServerProcess` is one."""

    @property
    def identity(self) -> Identity:
        """What tells it from any other process."""

    @property
    def exit_code(self) -> int | None:
        """What it returned; None while it runs."""

    def stop(self, *, immediate: bool = False) -> None:
        """Stops it and its children."""


class State(StrEnum):
    """What a supervised server is doing."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    GAVE_UP = "gave up"


def backoff_s(failures_in_a_row: int) -> float:
    """How long to wait before the next start, in seconds: doubling, with a limit."""
    return min(BACKOFF_S_MAX, BACKOFF_S_FIRST * float(2 ** (failures_in_a_row - 1)))


class Ward:
    """A server, its process and its history. `tick` does whatever is due; nothing waits long."""

    def __init__(
        self, server: Server, log: Path, launch: Callable[[Server, Path], Process] = ServerProcess
    ) -> None:
        self.server = server
        self.log = log
        self._launch = launch
        self.process: Process | None = None
        self.state = State.RESTARTING
        self.reason = ""
        self.restarts = -1  # the first start is none
        self._failures_in_a_row = 0
        self._since = 0.0
        self._due = 0.0

    def tick(self, now: float) -> bool:
        """Looks at the process at monotonic time `now`; True when the state changed."""
        before = self.state, self.restarts
        if self.state == State.RESTARTING and now >= self._due:
            self._start(now)
        elif self.state in (State.STARTING, State.READY):
            self._look(now)
        return (self.state, self.restarts) != before

    def forgive(self) -> None:
        """Lets a server that was given up try again."""
        if self.state == State.GAVE_UP:
            self.state, self._failures_in_a_row, self._due = State.RESTARTING, 0, 0.0

    def stop(self) -> None:
        """Stops the server for good."""
        if self.process is not None:
            self.process.stop()

    def _start(self, now: float) -> None:
        self.restarts += 1
        self._since = now
        try:
            self.server.prepare()
            self.process = self._launch(self.server, self.log)
        except (DistributaryError, OSError) as error:
            self._fail(now, str(error))
        else:
            self.state = State.STARTING

    def _look(self, now: float) -> None:
        process = self.process
        if process is None or process.exit_code is not None:
            self._fail(now, f"it ended with code {process.exit_code if process else None}")
        elif self.state == State.STARTING:
            self._look_for_readiness(process, now)
        elif now - self._since > STEADY_S:
            self._failures_in_a_row = 0

    def _look_for_readiness(self, process: Process, now: float) -> None:
        why = self.server.ready()
        if why is None:
            self.state, self.reason, self._since = State.READY, "", now
        elif now - self._since > self.server.ready_s_max:
            process.stop(immediate=True)
            self._fail(now, f"not ready after {self.server.ready_s_max:.0f} s: {why}")

    def _fail(self, now: float, reason: str) -> None:
        if self.process is not None:
            self.process.stop(immediate=True)  # its children may outlive it
        self._failures_in_a_row += 1
        self.reason = reason
        self._due = now + backoff_s(self._failures_in_a_row)
        gave_up = self._failures_in_a_row >= FAILURES_IN_A_ROW_MAX
        self.state = State.GAVE_UP if gave_up else State.RESTARTING

    def as_json(self) -> dict[str, Any]:
        """For the state file."""
        identity = self.process.identity.as_json() if self.process else None
        return {
            "state": str(State.STARTING if self.restarts < 0 else self.state),
            "reason": self.reason,
            "restarts": max(0, self.restarts),
            "process": identity,
            "stop_signal": int(self.server.stop_signal),
            "stop_s_max": self.server.stop_s_max,
        }
