"""Two defects of Beam 2.77: our guards help, and without them they are still there.

When one of the tests of an unguarded pipeline fails, upstream has mended the defect: remove the
guard from `transforms.beam_defects`, its use, and both of its tests.
"""

import subprocess
import sys

from tests.inference_job import ROOT

RUN_S_MAX = 120
TIMES_QUIETER = 3


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


def test_split_request__without_the_guard__still_kills_the_job(prism: str) -> None:
    ended = run(prism)
    assert ended.returncode != 0
    assert "cannot convert float NaN to integer" in ended.stderr


def test_split_request__with_the_guard__is_survived(prism: str) -> None:
    ended = run(prism, "--guard-splits")
    assert ended.returncode == 0, ended.stderr[-2_000:]


def test_prism__stage_without_outputs__still_spins_unless_an_output_is_kept(prism: str) -> None:
    spinning = run(prism, "--guard-splits", "--slow-s=3")
    quiet = run(prism, "--guard-splits", "--slow-s=3", "--keep-output")

    assert spinning.returncode == quiet.returncode == 0
    assert float(spinning.stdout) > TIMES_QUIETER * float(quiet.stdout)
