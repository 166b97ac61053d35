"""`distributary epoch` as an operator calls it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distributary.cli.main import main
from distributary.errors import ExitCode
from distributary.store import migrate

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    fresh_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs `distributary epoch` on a new installation; gives exit code, stdout and stderr."""
    dsn = fresh_database()
    migrate(dsn)
    monkeypatch.setenv("DISTRIBUTARY_HOME", str(tmp_path))
    monkeypatch.setenv("DISTRIBUTARY_POSTGRES", dsn)

    def act(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["distributary", "epoch", *arguments])
        code: Any = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        written = capsys.readouterr()
        return int(code), written.out, written.err

    return act


def test_epoch_show__zero__is_an_unknown_epoch_and_not_the_open_one(run: Run) -> None:
    code, out, err = run("show", "0")
    assert (code, out) == (ExitCode.INPUT, "")
    assert "unknown_epoch" in err
    code, out, _ = run("show", "--json")
    assert (code, json.loads(out)["epoch"]) == (ExitCode.OK, 1)


def test_epoch_close__without_a_terminal__prints_the_result_alone(run: Run) -> None:
    code, out, err = run("close", "--json")
    assert (code, err) == (ExitCode.OK, "")
    assert json.loads(out)["epoch"] == 1
