"""What supervisor and command line tell each other, in files of the home folder."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import Signals
from typing import Any

from distributary.stack.files import locked, read_json, write_json
from distributary.stack.process import Identity, end_stale
from distributary.stack.server import Site

STATE = "stack.json"
ENDPOINTS = "endpoints.json"
DEPLOYMENT = Path("anvil") / "deployment.json"
WANTED = "stack.wanted.json"
LOCK = "supervisor.lock"


@dataclass(frozen=True)
class Wanted:
    """What the supervisor shall run; each `up` raises the number."""

    number: int
    servers: tuple[str, ...]
    cache: str
    models: str
    lake: str

    @staticmethod
    def read(home: Path) -> "Wanted | None":
        """The last wish, or None."""
        record = read_json(home / WANTED)
        if not record:
            return None
        return Wanted(**{**record, "servers": tuple(record["servers"])})

    def write(self, home: Path) -> None:
        """Makes this the wish."""
        write_json(home / WANTED, asdict(self))

    def site(self, home: Path) -> Site:
        """The site that it describes."""
        return Site(home, Path(self.cache), Path(self.models), Path(self.lake))


def wanted(number: int, servers: tuple[str, ...], site: Site) -> Wanted:
    """The wish to run `servers` of `site`."""
    return Wanted(number, servers, str(site.cache), str(site.models), str(site.lake))


@contextmanager
def supervising(home: Path) -> Iterator[bool]:
    """Holds the supervisor's lock with this process' number in it; False if another holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield True


def supervisor_pid(home: Path) -> int | None:
    """The number of the running supervisor, or None: a lock cannot be stale as a number can."""
    path = home / LOCK
    if not path.exists():
        return None
    with path.open("r") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(handle.read() or 0) or None
    return None


def read_state(home: Path) -> dict[str, Any]:
    """The supervisor's last word: `{number, servers: {name: …}}`; empty if there is none."""
    return read_json(home / STATE)


def write_state(home: Path, number: int, servers: Mapping[str, Mapping[str, Any]]) -> None:
    """Tells what each server is doing."""
    write_json(home / STATE, {"supervisor": os.getpid(), "number": number, "servers": servers})


def write_endpoints(home: Path, endpoints: Mapping[str, str]) -> None:
    """Writes the endpoints; with the local chain's, the contract that was deployed on it."""
    with locked(home / "endpoints.lock"):
        deployed = read_json(home / DEPLOYMENT) if "chain" in endpoints else {}
        write_json(home / ENDPOINTS, {**endpoints, **deployed})


def record_deployment(home: Path, deployed: Mapping[str, str | int]) -> None:
    """Keeps the settings that name the contract on the local chain, and publishes them.

    Args:
        home: the installation.
        deployed: `chain_id`, `contract`, `contract_block`.
    """
    write_json(home / DEPLOYMENT, deployed)
    write_endpoints(home, read_json(home / ENDPOINTS))


def end_leftovers(home: Path) -> list[str]:
    """Ends servers that an earlier, killed supervisor left running; their names.

    Only a process with the recorded number, start and command line is touched.
    """
    ended = []
    for name, record in sorted(read_state(home).get("servers", {}).items()):
        if record["process"] is None:
            continue
        identity = Identity.from_json(record["process"])
        if end_stale(identity, Signals(record["stop_signal"]), float(record["stop_s_max"])):
            ended.append(name)
    return ended
