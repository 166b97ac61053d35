"""Prometheus metrics of the attribution job; docs/reference.md lists them."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "distributary_attribution"


@dataclass
class Metrics:
    """All metrics of one job, in a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.consumed = Counter(
            f"{PREFIX}_consumed_total", "Answer records read.", registry=self.registry
        )
        self.recorded = Counter(
            f"{PREFIX}_recorded_total",
            "Answer records committed, by outcome: charged, duplicate, or why not charged.",
            ["outcome"],
            registry=self.registry,
        )
        self.failed_bundles = Counter(
            f"{PREFIX}_failed_bundles_total",
            "Bundles that were rolled back and read again.",
            registry=self.registry,
        )
        self.bundle_s = self._histogram("bundle_seconds", "From a full bundle to its commit.")
        self.triton_s = self._histogram("triton_seconds", "Weighing the answers of one bundle.")
        self.in_flight = Gauge(
            f"{PREFIX}_in_flight", "Answers in bundles not committed yet.", registry=self.registry
        )
        self.lag = self._gauge("lag", "Answers beyond the committed offset, by partition.")
        self.position_age_s = self._gauge(
            "low_water_age_seconds", "Since the committed offset last moved with answers ahead."
        )

    def _histogram(self, name: str, text: str) -> Histogram:
        buckets = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
        return Histogram(f"{PREFIX}_{name}", text, registry=self.registry, buckets=buckets)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, ["partition"], registry=self.registry)
