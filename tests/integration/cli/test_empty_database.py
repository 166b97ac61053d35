"""Commands against a database that nobody has prepared."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distributary.cli.main import main
from distributary.errors import ExitCode


@pytest.mark.parametrize(
    "command",
    [
        "trace {hash}",
        "epoch list",
        "epoch show",
        "epoch show 1",
        "epoch close",
        "epoch open",
        "owner list",
        "owner assets",
        "owner show somebody",
        "owner bind somebody 0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
        "datanet list",
        "account show",
        "statement 1",
        "funds {hash}",
        "reconcile",
        "gate 1",
    ],
)
def test_command__no_tables__says_in_one_line_what_to_do(
    command: str,
    fresh_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DISTRIBUTARY_HOME", str(tmp_path))
    monkeypatch.setenv("DISTRIBUTARY_POSTGRES", fresh_database())
    monkeypatch.setattr(sys, "argv", ["distributary", *command.format(hash="a" * 64).split()])
    with pytest.raises(SystemExit) as left:
        main()
    written = capsys.readouterr().err
    assert left.value.code in (ExitCode.UNAVAILABLE, ExitCode.INPUT), written
    assert written.startswith("error ")
    assert written.count("\n") == 1
    if command.split()[0] in ("trace", "epoch", "owner", "datanet", "account"):
        assert "error no_schema: " in written
        assert "distributary up" in written
