"""The publisher as a supervised process, with a metric that tells when it last got through."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from typer.testing import CliRunner

from distributary.cli import publishing
from distributary.cli.main import app
from distributary.cli.publishing import Metrics
from distributary.errors import ExitCode
from distributary.supervise import Policy


def test_run_accounts__called__is_supervised_as_the_jobs_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []

    def supervise(command: Sequence[str], policy: Policy) -> int:
        seen.append((list(command), policy))
        return ExitCode.SUPERSEDED

    monkeypatch.setattr("distributary.supervise.supervise", supervise)
    result = CliRunner().invoke(app, ["run", "accounts"])
    assert seen == [([sys.executable, "-m", publishing.__name__], Policy())]
    assert result.exit_code == ExitCode.SUPERSEDED


def test_metrics__rounds_end_well__age_begins_anew() -> None:
    now = [100.0]
    metrics = Metrics(clock=lambda: now[0])

    def age() -> float | None:
        return metrics.registry.get_sample_value("distributary_accounts_round_age_seconds")

    now[0] = 107.0
    assert age() == 7.0
    metrics.note([None, None])  # type: ignore[list-item]
    assert age() == 0.0
    now[0] = 108.5
    assert age() == 1.5
    assert metrics.registry.get_sample_value("distributary_accounts_published_total") == 2
