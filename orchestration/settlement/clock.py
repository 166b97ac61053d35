"""Time and crash points, as arguments of settlement."""

import time
from collections.abc import Callable
from typing import Protocol

Checkpoint = Callable[[str], None]
"""Called by name before and after every durable write, and around every send."""


def no_checkpoint(_name: str) -> None:
    """The checkpoint of production: nothing."""


class Clock(Protocol):
    """What settlement knows of time."""

    def now_s(self) -> int:
        """Unix seconds."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class SystemClock:
    """The machine's clock; decides when to look again, never what is paid."""

    def now_s(self) -> int:
        """Unix seconds."""
        return int(time.time())

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)
