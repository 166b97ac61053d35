"""Guards against two defects of Beam 2.77; tests/integration/beam notices when they are mended.

1. A split request can kill the job. The sampled progress of a bundle can be NaN after a bundle of
   more than 30 outputs (`OperationCounters.restart_sampling` keeps an old `_next_sample`), and
   `DataInputOperation._compute_split` then raises `cannot convert float NaN to integer`.
2. Prism spins a core while a bundle of a stage without outputs runs. `KeepAnOutput` gives the
   last stage one, which nothing needs to be written to.
"""

import math
from typing import Any

import apache_beam as beam
from apache_beam.runners.worker import bundle_processor

_PROGRESS_UNKNOWN = 0.5  # what Beam itself assumes of an element without progress


def guard_splits() -> None:
    """Makes `_compute_split` read a progress of NaN as unknown; safe to call again."""
    operation = bundle_processor.DataInputOperation
    original = operation._compute_split
    if getattr(original, "is_guarded", False):
        return

    def compute_split(index: int, progress: float, *args: Any, **kwargs: Any) -> Any:
        known = _PROGRESS_UNKNOWN if math.isnan(progress) else progress
        return original(index, known, *args, **kwargs)

    compute_split.is_guarded = True  # type: ignore[attr-defined]
    operation._compute_split = staticmethod(compute_split)


def _nothing(element: Any) -> Any:
    return element


class KeepAnOutput(beam.PTransform):
    """Ends a branch with a stage boundary, so that the stage before it has an output."""

    def expand(self, pcoll: Any) -> Any:
        """Adds the boundary and a stage that passes elements on."""
        return pcoll | "Keep an output" >> beam.Reshuffle() | "Pass on" >> beam.Map(_nothing)
