"""Each named stop has its place in the runbook, and each is used."""

import re
from pathlib import Path

from distributary.errors import ExitCode
from orchestration.settlement.stops import STOPS, StopError

ROOT = Path(__file__).parents[3]
CODE = [*(ROOT / "orchestration").rglob("*.py")]


def test_stops__all__have_a_heading_in_the_runbook():
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/settlement.md").read_text(), re.MULTILINE)
    assert headings == sorted(STOPS)


def test_stops__all__are_raised_somewhere_and_no_others():
    text = "\n".join(path.read_text() for path in CODE)
    raised = set(re.findall(r'StopError\(\s*"(\w+)"', text))
    assert raised == set(STOPS)


def test_stop__as_a_person_sees_it__names_the_runbook_and_ends_with_4():
    stop = StopError("settler_busy")
    assert stop.exit_code is ExitCode.UNAVAILABLE == 4
    assert "docs/settlement.md#settler_busy" in str(stop)
