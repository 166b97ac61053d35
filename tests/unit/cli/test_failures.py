"""What is not ours ends in one line and its exit code; what is ours keeps its traceback."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from distributary.cli.failures import explain, run_in_words
from distributary.cli.main import main
from distributary.errors import DistributaryError, ExitCode, GaveUpError, InputError
from distributary.store import connect
from pipelines import attribution, inference


def failing(error: BaseException) -> Any:
    def program() -> int:
        raise error

    return program


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/some/file")


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (os_error(errno.EACCES), "file_unusable", ExitCode.INPUT),
        (os_error(errno.EROFS), "file_unusable", ExitCode.INPUT),
        (os_error(errno.ENOTDIR), "file_unusable", ExitCode.INPUT),
        (os_error(errno.ENOENT), "file_unusable", ExitCode.INPUT),
        (os_error(errno.ENOSPC), "disk_full", ExitCode.FAILED),
        (psycopg.errors.UndefinedTable(), "no_schema", ExitCode.UNAVAILABLE),
        (psycopg.errors.UndefinedColumn(), "no_schema", ExitCode.UNAVAILABLE),
        (psycopg.errors.InsufficientPrivilege(), "not_permitted", ExitCode.INPUT),
        (psycopg.errors.AdminShutdown(), "unavailable", ExitCode.UNAVAILABLE),
        (psycopg.InterfaceError("closed"), "unavailable", ExitCode.UNAVAILABLE),
        (GaveUpError("It failed."), "gave_up", ExitCode.GAVE_UP),
    ],
)
def test_run_in_words__not_our_defect__one_line_and_its_exit_code(
    error: Exception, code: str, exit_code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_in_words(failing(error)) == exit_code
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith(f"error {code}: ")
    assert written.err.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        TypeError("ours"),
        psycopg.errors.SyntaxError("ours"),
        psycopg.errors.UniqueViolation("ours"),
        OSError("without a number"),
        ConnectionResetError(errno.ECONNRESET, "ours"),
    ],
)
def test_run_in_words__a_defect__is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        run_in_words(failing(error))


def test_run_in_words__stopped_by_hand__says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_in_words(failing(KeyboardInterrupt())) == 130
    assert run_in_words(failing(BrokenPipeError())) == ExitCode.FAILED
    assert run_in_words(lambda: None) == ExitCode.OK
    assert capsys.readouterr().err == ""


def test_explain__a_file__names_it() -> None:
    told = explain(os_error(errno.EACCES))
    assert isinstance(told, DistributaryError)
    assert "/some/file" in str(told)
    assert "Permission denied" in str(told)


@pytest.mark.parametrize(
    "dsn", ["nonsense", "mysql://me:hidden@db/x", "postgresql://me:hidden%zz@db/x"]
)
def test_connect__no_uri__says_how_to_write_one_and_shows_no_password(dsn: str) -> None:
    with pytest.raises(InputError, match="DISTRIBUTARY_POSTGRES") as caught:
        connect(dsn)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "arguments"),
    [
        ("LOG_LEVEL", "banana", ["run", "accounts"]),
        ("LOG_LEVEL", "banana", ["run", "inference"]),
        ("POSTGRES", "nonsense", ["epoch", "list"]),
        ("POSTGRES", "nonsense", ["account", "show"]),
        ("POSTGRES", "nonsense", ["trace", "a" * 64]),
        ("HOME", "{file}/home", ["up", "--only", "valkey"]),
        ("CACHE", "{file}/cache", ["up", "--only", "prism"]),
    ],
)
def test_command__a_users_mistake__one_line_and_code_3(
    variable: str,
    value: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DISTRIBUTARY_HOME", str(tmp_path))
    monkeypatch.setenv(f"DISTRIBUTARY_{variable}", value.format(file=tmp_path / "file"))
    monkeypatch.setattr(sys, "argv", ["distributary", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    written = capsys.readouterr().err
    assert left.value.code == ExitCode.INPUT, written
    assert written.startswith("error ")
    assert written.count("\n") == 1


@pytest.mark.parametrize("job", [inference, attribution])
def test_job__a_setting_is_not_allowed__is_a_mistake_in_words(
    job: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISTRIBUTARY_WINDOW_MAX", "0")
    assert job.run_in_words(job.main) == ExitCode.INPUT
    assert "DISTRIBUTARY_WINDOW_MAX must be 1 to 65,536" in capsys.readouterr().err
