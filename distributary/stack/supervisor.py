"""The process that keeps servers running: `python -m distributary.stack.supervisor HOME`.

It starts what `HOME/stack.wanted.json` names, starts again what died, and stops all on SIGTERM.
SIGHUP makes it read the wish again. Its log is `HOME/logs/supervisor.log`.
"""

import logging
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distributary.errors import ExitCode
from distributary.stack.plan import PROGRAMS, RECIPES, fetch_all
from distributary.stack.server import quiet
from distributary.stack.state import (
    ENDPOINTS,
    STATE,
    Wanted,
    end_leftovers,
    supervising,
    write_endpoints,
    write_state,
)
from distributary.stack.ward import State, Ward

LOG_BYTES_MAX = 10_000_000
LOGS_KEPT = 3
LOOK_S_STARTING = 0.1
LOOK_S_STEADY = 1.0

log = logging.getLogger("distributary.stack")


def rotate(path: Path) -> None:
    """Copies a long log to `.1` (older ones move up) and empties it.

    The server keeps its open file, which appends, so it needs no signal.
    """
    if not path.exists() or path.stat().st_size <= LOG_BYTES_MAX:
        return
    for number in range(LOGS_KEPT, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


class Signals:
    """Wakes the loop when a child ends or somebody sends a signal, and remembers which."""

    def __init__(self) -> None:
        self._read, write = socket.socketpair()
        self._read.setblocking(False)
        write.setblocking(False)
        self._write = write
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        self.stop = False
        self.reread = True
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: object) -> None:
        self.stop |= number in (signal.SIGTERM, signal.SIGINT)
        self.reread |= number == signal.SIGHUP

    def wait(self, limit_s: float) -> None:
        """Returns at the next signal, or after `limit_s` seconds."""
        if select.select([self._read], [], [], limit_s)[0]:
            self._read.recv(4096)


class Supervisor:
    """Runs the wards of one home folder until it is told to stop."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._wards: dict[str, Ward] = {}
        self._endpoints: dict[str, str] = {}
        self._number = 0

    def run(self, signals: Signals) -> None:
        """Supervises until `signals.stop`; then stops every server, in parallel."""
        for name in end_leftovers(self._home):
            log.warning("%s of an earlier supervisor was still running: ended", name)
        try:
            while not signals.stop:
                if signals.reread:
                    signals.reread = False
                    self._take_wish()
                self._look(time.monotonic())
                busy = any(w.state in (State.STARTING, State.RESTARTING) for w in self._all())
                signals.wait(LOOK_S_STARTING if busy else LOOK_S_STEADY)
        finally:
            self._stop()

    def _all(self) -> Iterable[Ward]:
        return self._wards.values()

    def _take_wish(self) -> None:
        wish = Wanted.read(self._home)
        if wish is None:
            return
        site = wish.site(self._home)
        new = [name for name in wish.servers if name not in self._wards]
        for name, files in fetch_all(new, site.cache, quiet).items():
            if name in PROGRAMS:
                self._endpoints[name] = str(files)
            else:
                server = RECIPES[name].describe(site, files)
                self._wards[name] = Ward(server, site.logs / f"{name}.log")
        for ward in self._all():
            ward.forgive()
        self._number = wish.number
        self._tell()

    def _look(self, now: float) -> None:
        changed = [ward for ward in self._all() if ward.tick(now)]
        for ward in changed:
            level = logging.CRITICAL if ward.state == State.GAVE_UP else logging.INFO
            log.log(level, "%s: %s %s", ward.server.name, ward.state, ward.reason)
        if changed:
            self._tell()
        for ward in self._all():
            rotate(ward.log)

    def _tell(self) -> None:
        if all(ward.state == State.READY for ward in self._all()):
            for ward in self._all():
                self._endpoints |= ward.server.endpoints
            write_endpoints(self._home, self._endpoints)
        servers = {name: ward.as_json() for name, ward in self._wards.items()}
        write_state(self._home, self._number, servers)

    def _stop(self) -> None:
        (self._home / ENDPOINTS).unlink(missing_ok=True)
        with ThreadPoolExecutor(max_workers=len(self._wards) or 1) as pool:
            list(pool.map(Ward.stop, self._all()))
        (self._home / STATE).unlink(missing_ok=True)
        log.info("stopped")


def main(home: Path) -> int:
    """Supervises `home`, unless another process does."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    with supervising(home) as alone:
        if not alone:
            log.error("another supervisor runs in %s", home)
            return int(ExitCode.FAILED)
        log.info("supervising %s as process %d", home, os.getpid())
        Supervisor(home).run(Signals())
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
