"""What each server of an installation is doing now."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from distributary.stack.control import PROVIDES
from distributary.stack.files import read_json
from distributary.stack.plan import NAMES, PROGRAMS
from distributary.stack.process import Identity, session_members
from distributary.stack.state import read_state, supervisor_pid


@dataclass(frozen=True)
class ServerStatus:
    """One line of `distributary status`.

    Attributes:
        name: the server.
        state: stopped, starting, ready, restarting, gave up, given, or installed (a program).
        pid: its main process.
        endpoint: where it is, without its password.
        uptime_s: seconds since that process started.
        restarts: how often the supervisor started it again.
        memory_bytes: resident memory of the process and its children, shared pages counted once
            where the system tells (PSS).
        reason: why it is not ready.
    """

    name: str
    state: str
    pid: int | None = None
    endpoint: str = ""
    uptime_s: int | None = None
    restarts: int = 0
    memory_bytes: int | None = None
    reason: str = ""


def mask(uri: str) -> str:
    """The URI with its password masked, and the path of an EVM node's, which is often a key."""
    if uri.startswith(("http://", "https://")):
        scheme, _, rest = uri.partition("://")
        host, slash, path = rest.rpartition("@")[2].partition("/")
        return f"{scheme}://{host}" + ("/***" if slash and path else "")
    head, at, tail = uri.rpartition("@")
    scheme, slashes, login = head.partition("://")
    if not at or ":" not in login:
        return uri
    return f"{scheme}{slashes}{login.partition(':')[0]}:***@{tail}"


def brief(uri: str) -> str:
    """The part of a URI that says where: host, port and path, without scheme and login."""
    return uri.rpartition("://")[2].rpartition("@")[2]


def _memory(pid: int) -> int:
    total = 0
    for process in session_members(pid):
        try:
            total += int(process.memory_full_info().pss)
        except psutil.Error:
            continue
    return total


def _running(name: str, record: dict[str, Any], endpoint: str) -> ServerStatus:
    status = ServerStatus(
        name,
        str(record["state"]),
        endpoint=endpoint,
        restarts=int(record["restarts"]),
        reason=str(record["reason"]),
    )
    process = record["process"] and Identity.from_json(record["process"])
    if not process or not process.alive():
        return status
    return replace(
        status,
        pid=process.pid,
        uptime_s=int(time.time() - psutil.Process(process.pid).create_time()),
        memory_bytes=_memory(process.pid),
    )


def report_status(home: Path, given: dict[str, str]) -> list[ServerStatus]:
    """The state of every server, in a fixed order.

    Args:
        home: the installation.
        given: endpoints that the user gives, by name.
    """
    running = supervisor_pid(home) is not None
    records = read_state(home).get("servers", {}) if running else {}
    written = read_json(home / "endpoints.json") if running else {}
    lines = []
    for name in NAMES:
        first = PROVIDES[name][0]
        endpoint = mask(str(given.get(first) or written.get(first, "")))
        if all(part in given for part in PROVIDES[name]):
            lines.append(ServerStatus(name, "given", endpoint=endpoint))
        elif name in records:
            lines.append(_running(name, records[name], endpoint))
        elif name in PROGRAMS and endpoint:
            lines.append(ServerStatus(name, "installed", endpoint=endpoint))
        else:
            lines.append(ServerStatus(name, "stopped"))
    return lines
