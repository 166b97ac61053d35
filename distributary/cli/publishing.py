"""The publisher of accounts as a process, started and watched by `distributary run accounts`.

    python -m distributary.cli.publishing

A server that is away is waited for. Everything else ends the process, and its supervisor starts it
again or gives up.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge

from distributary.accounts import AccountState
from distributary.cli.failures import run_in_words
from distributary.logs import configure_logs
from distributary.metrics_server import serve_metrics
from distributary.publisher import publish_forever
from distributary.settings import load_settings

# Credit is for admission: a few seconds late, it admits what the next epoch carries over.
PUBLISH_S = 2.0
PREFIX = "distributary_accounts"


@dataclass
class Metrics:
    """All metrics of the publisher, in a registry of their own; `clock` gives monotonic seconds."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._round_s = self.clock()
        self.published = Counter(
            f"{PREFIX}_published_total", "Account records published.", registry=self.registry
        )
        self.round_age_s = Gauge(
            f"{PREFIX}_round_age_seconds",
            "Since the last round that published all it had to, or since the start.",
            registry=self.registry,
        )
        self.round_age_s.set_function(lambda: self.clock() - self._round_s)

    def note(self, published: Sequence[AccountState]) -> None:
        """Notes a round that ended well."""
        self._round_s = self.clock()
        self.published.inc(len(published))


def main() -> None:
    """Publishes until SIGTERM or SIGINT; the round under way is finished."""
    settings = load_settings()
    configure_logs(settings.log_level)
    stop, metrics = threading.Event(), Metrics()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop_serving = serve_metrics(metrics.registry, settings.metrics_port_accounts)
    try:
        publish_forever(settings, stop, PUBLISH_S, metrics.note)
    finally:
        stop_serving()


if __name__ == "__main__":
    sys.exit(run_in_words(main))
