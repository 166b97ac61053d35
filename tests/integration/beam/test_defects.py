"""Two defects of Beam 2.77: our guards help, and without them they are still there.

When a test of what is "still" so fails, upstream has mended the defect: remove the
guard from `transforms.beam_defects`, its use, and both of its tests.
"""

import subprocess
import sys

from apache_beam.coders import PickleCoder
from apache_beam.runners.worker.opcounters import OperationCounters
from apache_beam.utils.counters import CounterFactory

from tests.inference_job import ROOT

RUN_S_MAX = 120
TIMES_QUIETER = 3
# From the 31st on an element is sampled with a chance of 10 in its number: one of these surely is.
MANY_ELEMENTS = 1_000


def run(prism: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs the pipeline in a process of its own, since a guard changes Beam for good."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.integration.beam.slow_pipeline",
            f"--prism={prism}",
            *options,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )


def test_sampling__after_a_bundle_of_many_elements__still_skips_the_first_ones() -> None:
    counters = OperationCounters(CounterFactory(), "step", PickleCoder(), 0)
    for _ in range(MANY_ELEMENTS):
        counters.should_sample()
    counters.restart_sampling()
    # Nothing is sampled of the next bundle yet, so the mean that its progress is made of is NaN.
    assert not counters.should_sample()


def test_split_request__at_a_progress_of_nan__still_raises_without_the_guard() -> None:
    # In a process of its own, since the guard changes Beam for good.
    asked = "DataInputOperation._compute_split(0, float('nan'), 10, 0.5, 10)"
    code = f"from apache_beam.runners.worker.bundle_processor import DataInputOperation; {asked}"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "cannot convert float NaN to integer" in ended.stderr


def test_split_request__with_the_guard__is_survived(prism: str) -> None:
    ended = run(prism)
    assert ended.returncode == 0, ended.stderr[-2_000:]


def test_prism__stage_without_outputs__still_spins_unless_an_output_is_kept(prism: str) -> None:
    spinning = run(prism, "--slow-s=3")
    quiet = run(prism, "--slow-s=3", "--keep-output")

    assert spinning.returncode == quiet.returncode == 0
    assert float(spinning.stdout) > TIMES_QUIETER * float(quiet.stdout)
