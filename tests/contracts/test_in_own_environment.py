"""Runs boa/ with titanoboa, in the contracts' own environment."""

import os
import subprocess
from pathlib import Path

import pytest

from contracts.environment import ROOT, ensure_environment

SUITE = Path(__file__).parent / "boa"


@pytest.mark.timeout(600)
def test_contracts__in_their_own_environment__pass_their_suite() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHON"))}
    command = [str(ensure_environment()), "-m", "pytest", "-q", str(SUITE)]
    options = ["-c", str(SUITE / "pytest.ini"), "--confcutdir", str(SUITE)]
    result = subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
