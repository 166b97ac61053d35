"""Prometheus metrics of the inference job; docs/reference.md lists them."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "distributary_inference"


@dataclass
class Metrics:
    """All metrics of one job, in a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.consumed = Counter(
            f"{PREFIX}_consumed_total", "Request records read.", registry=self.registry
        )
        self.answered = Counter(
            f"{PREFIX}_answered_total",
            "Records finished, by outcome: executed, replayed, dead, finished, or a refusal code.",
            ["outcome"],
            registry=self.registry,
        )
        self.triton_s = Histogram(
            f"{PREFIX}_triton_seconds",
            "Duration of calls to nodes.",
            ["node"],
            registry=self.registry,
            buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
        )
        self.valkey_failures = self._gauge("valkey_failures", "Batches served without leases.")
        self.in_flight = self._gauge("in_flight", "Requests given to nodes and not published yet.")
        self.waiting = self._gauge("waiting", "Admitted requests that wait for a node.")
        self.lag = self._gauge("lag", "Records beyond the low-water mark, by partition.", True)
        self.ahead = self._gauge("ahead", "Records read beyond the low-water mark.", True)
        self.mark_age_s = self._gauge(
            "low_water_age_seconds", "Since the low-water mark last moved with work ahead.", True
        )

    def _gauge(self, name: str, text: str, by_partition: bool = False) -> Gauge:
        labels = ["partition"] if by_partition else []
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)
