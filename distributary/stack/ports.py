"""TCP ports on 127.0.0.1: chosen once, kept in the home folder for the next start."""

import socket
from collections.abc import Iterable
from pathlib import Path

from distributary.stack.files import locked, read_json, write_json
from distributary.stack.server import HOST


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def listening(port: int) -> bool:
    """Whether something accepts connections on `port`."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def _choose(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def keep_ports(home: Path, names: Iterable[str]) -> dict[str, int]:
    """The ports of `names`, kept in `home/ports.json`; one that is not free is chosen anew.

    Call it while the servers concerned are stopped.
    """
    path = home / "ports.json"
    with locked(home / "ports.lock"):
        kept = {k: int(v) for k, v in read_json(path).items()}
        for name in names:
            if name not in kept or not is_free(kept[name]):
                kept[name] = _choose(set(kept.values()))
        write_json(path, kept)
    return kept
