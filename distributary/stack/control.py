"""Starting and stopping the supervised servers of an installation."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distributary.errors import GaveUpError, UnavailableError
from distributary.settings import PREFIX
from distributary.stack.files import locked
from distributary.stack.plan import NAMES, PROGRAMS, fetch_all
from distributary.stack.process import wait_until
from distributary.stack.server import Report, Site
from distributary.stack.state import (
    STATE,
    Wanted,
    end_leftovers,
    read_state,
    supervisor_pid,
    wanted,
)

START_S_MAX = 300.0
STOP_S_MAX = 90.0
LOG_LINES_SHOWN = 3

PROVIDES = {name: (name,) for name in NAMES} | {
    "triton": ("triton", "triton_trusted"),
    "anvil": ("chain",),
}
"""The endpoints that each server provides."""


def split_given(
    names: Sequence[str], environ: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divides servers into those to start here and those whose endpoints the user gives."""
    given = {
        name
        for name in names
        if all(environ.get(PREFIX + endpoint.upper()) for endpoint in PROVIDES[name])
    }
    return tuple(n for n in names if n not in given), tuple(n for n in names if n in given)


def start(site: Site, names: Sequence[str], report: Report) -> None:
    """Runs servers under the supervisor and waits until all answer; repeats safely.

    Raises:
        UnavailableError: one cannot be fetched, or the supervisor does not run.
        GaveUpError: one did not start however often it was tried.
    """
    fetch_all(names, site.cache, report)
    with locked(site.home / "stack.lock"):
        pid = supervisor_pid(site.home)
        last = Wanted.read(site.home)
        running = last.servers if last and pid else ()
        together = tuple(name for name in NAMES if name in {*running, *names})
        wish = wanted((last.number if last else 0) + 1, together, site)
        wish.write(site.home)
        if pid is None:
            _spawn(site)
        else:
            os.kill(pid, signal.SIGHUP)
    _wait(site, wish, [name for name in names if name not in PROGRAMS], report)


def _spawn(site: Site) -> None:
    site.logs.mkdir(parents=True, exist_ok=True)
    with (site.logs / "supervisor.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributary.stack.supervisor", str(site.home)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = wait_until(
        lambda: supervisor_pid(site.home) is not None or process.poll() is not None, 30.0
    )
    if not started or process.poll() is not None:
        raise UnavailableError("The supervisor did not start.", value=_tail(site, "supervisor"))


def _tail(site: Site, name: str) -> str:
    path = site.logs / f"{name}.log"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return " / ".join(line.strip() for line in lines[-LOG_LINES_SHOWN:])


def _wait(site: Site, wish: Wanted, names: Sequence[str], report: Report) -> None:
    servers: dict[str, Any] = {}

    def settled() -> bool:
        nonlocal servers
        state = read_state(site.home)
        if state.get("number", 0) < wish.number:
            return supervisor_pid(site.home) is None
        servers = state["servers"]
        for name in names:
            ready = servers[name]["state"] == "ready"
            report(name, servers[name]["state"], 1.0 if ready else None)
        return all(servers[name]["state"] in ("ready", "gave up") for name in names)

    wait_until(settled, START_S_MAX)
    for name in names:
        record = servers.get(name)
        if record is None:
            raise UnavailableError("The supervisor ended.", value=_tail(site, "supervisor"))
        if record["state"] != "ready":
            raise GaveUpError(
                f"{name} does not start: {record['reason']}. See {site.logs / name}.log.",
                value=_tail(site, name),
            )


def stop(home: Path) -> bool:
    """Stops the supervisor and every server, orderly; False when nothing ran.

    Raises:
        UnavailableError: it is still stopping after `STOP_S_MAX` seconds.
    """
    pid = supervisor_pid(home)
    if pid is None:
        left = end_leftovers(home)
        (home / "endpoints.json").unlink(missing_ok=True)
        (home / STATE).unlink(missing_ok=True)
        return bool(left)
    os.kill(pid, signal.SIGTERM)
    if not wait_until(lambda: supervisor_pid(home) is None, STOP_S_MAX):
        raise UnavailableError("The servers are still stopping: try again.", value=pid)
    return True
