"""Time, patience and crash points, as arguments of settlement."""

import time
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run waits.

    Attributes:
        confirmations: blocks on top that make a block final; 0: the node's `finalized` block.
        poll_s: seconds between two looks.
        looks_max: looks at one nonce before the run stops; the next run goes on from there.
        stale_looks_max: looks at a node that is behind before the run stops.
    """

    confirmations: int = 0
    poll_s: float = 4.0
    looks_max: int = 900
    stale_looks_max: int = 5
