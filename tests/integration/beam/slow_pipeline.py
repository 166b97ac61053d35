"""A plain pipeline that meets the two defects of Beam 2.77; run as a program on Prism.

python -m tests.integration.beam.slow_pipeline --prism=PATH [--keep-output]
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import psutil
from apache_beam.coders import Coder, PickleCoder
from apache_beam.io.unbounded_source import (
    CheckpointMark,
    ReadFromUnboundedSource,
    UnboundedReader,
    UnboundedSource,
)
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp

from transforms.beam_defects import KeepAnOutput, guard_splits

ELEMENTS = 100
SLOW_ELEMENT = 70
RECORDS_A_BUNDLE = 50  # above 30 the progress that is sampled of the next bundle can be NaN


@dataclass
class Position(CheckpointMark):  # type: ignore[misc]
    """How many elements were read."""

    read: int

    def finalize_checkpoint(self) -> None:
        """Nothing is kept elsewhere."""


class CountingReader(UnboundedReader):  # type: ignore[misc]
    """Counts to `ELEMENTS`."""

    def __init__(self, read: int) -> None:
        self._read = read

    def start(self) -> bool:
        """As `advance`."""
        return self.advance()

    def advance(self) -> bool:
        """Takes the next one."""
        if self._read >= ELEMENTS:
            return False
        self._read += 1
        return True

    def get_current(self) -> int:
        """Which one."""
        return self._read

    def get_current_timestamp(self) -> Timestamp:
        """Now."""
        return Timestamp.now()

    def get_watermark(self) -> Timestamp:
        """The end of time after the last one."""
        return MAX_TIMESTAMP if self._read >= ELEMENTS else Timestamp.now()

    def get_checkpoint_mark(self) -> Position:
        """Where to go on."""
        return Position(self._read)


class CountingSource(UnboundedSource):  # type: ignore[misc]
    """The numbers from 1 to `ELEMENTS`."""

    def split(self, desired_num_splits: int, options: Any = None) -> list["CountingSource"]:
        """Not at all."""
        return [self]

    def create_reader(self, options: Any, checkpoint_mark: Position | None) -> CountingReader:
        """From the mark."""
        return CountingReader(checkpoint_mark.read if checkpoint_mark else 0)

    def get_checkpoint_mark_coder(self) -> Coder:
        """A number."""
        return PickleCoder()


class Work(beam.DoFn):  # type: ignore[misc]
    """Takes long for one element, and has no output."""

    def __init__(self, slow_s: float) -> None:
        self._slow_s = slow_s

    def process(self, element: int) -> Iterator[int]:
        """Sleeps in short steps, so that the runner can ask for progress."""
        until = time.monotonic() + (self._slow_s if element == SLOW_ELEMENT else 0.0)
        while time.monotonic() < until:
            time.sleep(0.05)
        yield from ()


def _runner_cpu_s() -> float:
    return sum(
        times.user + times.system
        for child in psutil.Process().children(recursive=True)
        if "prism" in child.name()
        for times in [child.cpu_times()]
    )


def main() -> None:
    """Runs the pipeline; prints the runner's CPU seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prism", required=True)
    parser.add_argument("--keep-output", action="store_true")
    parser.add_argument("--records", type=int, default=RECORDS_A_BUNDLE)
    parser.add_argument("--slow-s", type=float, default=1.5)
    given = parser.parse_args()

    guard_splits()
    options = ["--runner=PrismRunner", "--streaming", f"--prism_location={given.prism}"]
    pipeline = beam.Pipeline(options=PipelineOptions(options))
    source = ReadFromUnboundedSource(CountingSource(), max_records_per_bundle=given.records)
    worked = pipeline | source | beam.ParDo(Work(given.slow_s))
    if given.keep_output:
        worked | KeepAnOutput()
    pipeline.run().wait_until_finish()
    sys.stdout.write(f"{_runner_cpu_s()}\n")


if __name__ == "__main__":
    main()
