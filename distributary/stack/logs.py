"""Reading the servers' logs."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from distributary.errors import InputError
from distributary.stack.plan import RECIPES

FOLLOW_S = 0.3


def log_file(home: Path, name: str) -> Path:
    """The log of server `name`.

    Raises:
        InputError: there is no such server, or it has not been started here yet.
    """
    names = (*RECIPES, "supervisor")
    if name not in names:
        raise InputError(f"Name one of: {', '.join(names)}.", value=name)
    path = home / "logs" / f"{name}.log"
    if not path.exists():
        raise InputError(f"{name} has no log yet: start it with `distributary up`.")
    return path


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines of a log."""
    with path.open(errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=count)]


def follow_lines(path: Path) -> Iterator[str]:
    """Yields lines as they are appended, for ever; begins anew when the log is rotated."""
    with path.open(errors="replace") as file:
        file.seek(0, 2)
        while True:
            line = file.readline()
            if line:
                yield line.rstrip("\n")
            elif file.tell() > path.stat().st_size:
                file.seek(0)
            else:
                time.sleep(FOLLOW_S)
