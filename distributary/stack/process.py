"""Starting, recognising and stopping one server's process and what it started."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any

import psutil

from distributary.errors import UnavailableError
from distributary.stack import launch
from distributary.stack.server import Server

POLL_S = 0.05
CHILDREN_S_MAX = 10.0
CHILDREN_S_MAX_IMMEDIATE = 1.0
UNPRIVILEGED_USER = "nobody"


def wait_until(condition: Callable[[], bool], limit_s: float) -> bool:
    """Polls `condition`; True as soon as it holds, False after `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def start_ticks(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since boot, or None where there is none.

    Field 22 of /proc/PID/stat (proc(5)): unlike a wall-clock time it never moves.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


@dataclass(frozen=True)
class Identity:
    """Tells a process from a later one that has got the same number."""

    pid: int
    ticks: int
    argv: tuple[str, ...]

    def alive(self) -> bool:
        """Whether that very process runs: same number, same start, same command line."""
        if start_ticks(self.pid) != self.ticks:
            return False
        try:
            running = psutil.Process(self.pid).cmdline()
        except psutil.Error:
            return False
        # Until it has become the server, its arguments follow those of `launch.py`.
        return tuple(running[-len(self.argv) :]) == self.argv

    def as_json(self) -> dict[str, Any]:
        """For the state file."""
        return {"pid": self.pid, "ticks": self.ticks, "argv": list(self.argv)}

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> "Identity":
        """From the state file."""
        return Identity(int(record["pid"]), int(record["ticks"]), tuple(record["argv"]))


def session_members(leader: int) -> list[psutil.Process]:
    """Every living process of the session that `leader` opened, itself included."""
    members = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
        except (OSError, psutil.Error):
            continue
    return members


def end_session(leader: int, limit_s: float) -> None:
    """Waits for a session to empty, then kills what is left of it.

    A server that was killed leaves children for a moment (Postgres' workers, Triton's stubs);
    a new one must not meet them.
    """
    if not wait_until(lambda: not session_members(leader), limit_s):
        for process in session_members(leader):
            process.kill()
        wait_until(lambda: not session_members(leader), limit_s)


def run_as(server_unprivileged: bool) -> str:
    """The user that `launch.py` becomes, or `-` for none."""
    return UNPRIVILEGED_USER if server_unprivileged and os.geteuid() == 0 else "-"


def launcher(argv: Sequence[str], death_signal: Signals, user: str) -> list[str]:
    """The command line that starts `argv` by way of `launch.py`, as a child of this process."""
    python = [sys.executable, "-I", "-S", launch.__file__]
    return [*python, str(os.getpid()), str(int(death_signal)), user, *argv]


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A small, stated environment: what a server sees must not depend on the user's shell."""
    kept = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "CUDA_VISIBLE_DEVICES")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    return {**inherited, "LC_ALL": "C.UTF-8", **extra}


class ServerProcess:
    """A started server. It opens a session of its own, so that its children are known."""

    def __init__(self, server: Server, log: Path) -> None:
        """Starts `server` with its output appended to `log`.

        Call it from a thread that lives as long as the server: the kernel ends the server
        together with the thread that started it (PR_SET_PDEATHSIG).
        """
        self.server = server
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                launcher(server.argv, server.stop_signal, run_as(server.unprivileged)),
                cwd=server.folder,
                env=child_environment(server.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        self._identity = Identity(self.pid, start_ticks(self.pid) or 0, server.argv)

    @property
    def identity(self) -> Identity:
        """What tells this process from any other."""
        return self._identity

    @property
    def exit_code(self) -> int | None:
        """What it returned, negative for a signal; None while it runs."""
        return self._popen.poll()

    def stop(self, *, immediate: bool = False) -> None:
        """Stops it and its children; kills what does not stop in time. Safe to repeat."""
        server = self.server
        if self.exit_code is None:
            self._popen.send_signal(server.immediate_signal if immediate else server.stop_signal)
            if not wait_until(lambda: self.exit_code is not None, server.stop_s_max):
                self._popen.kill()
                self._popen.wait()
        end_session(self.pid, CHILDREN_S_MAX_IMMEDIATE if immediate else CHILDREN_S_MAX)

    def kill(self) -> None:
        """Sends SIGKILL to the server alone, as a crash would, and waits for the end of all."""
        self._popen.kill()
        self._popen.wait()
        end_session(self.pid, CHILDREN_S_MAX)


def end_stale(identity: Identity, stop_signal: Signals, limit_s: float) -> bool:
    """Ends a server of an earlier crash, if it is still that very process; True if it was."""
    if not identity.alive():
        return False
    os.kill(identity.pid, stop_signal)
    if not wait_until(lambda: not identity.alive(), limit_s) and identity.alive():
        os.kill(identity.pid, SIGKILL)
    end_session(identity.pid, CHILDREN_S_MAX)
    return True


def wait_ready(process: ServerProcess, log: Path) -> None:
    """Waits until the server answers.

    Raises:
        UnavailableError: it ended, or did not answer within its limit.
    """
    server = process.server
    why: str | None = "not asked yet"

    def settled() -> bool:
        nonlocal why
        if process.exit_code is not None:
            return True
        why = server.ready()
        return why is None

    wait_until(settled, server.ready_s_max)
    if process.exit_code is not None:
        why = f"it ended with code {process.exit_code}"
    if why is not None:
        raise UnavailableError(f"{server.name} did not start: {why}. See its log.", value=str(log))
