"""Reading and rotating logs."""

from pathlib import Path

import pytest

from distributary.errors import InputError
from distributary.stack import supervisor
from distributary.stack.logs import last_lines, log_file


def test_last_lines__more_asked_than_there_are__are_all(tmp_path: Path) -> None:
    path = tmp_path / "kafka.log"
    path.write_bytes(b"one\ntwo \xff\nthree\n")

    assert last_lines(path, 2) == ["two \ufffd", "three"]
    assert len(last_lines(path, 99)) == 3
    assert last_lines(path, 0) == []


def test_log_file__no_such_server__is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="supervisor"):
        log_file(tmp_path, "../secrets")


def test_log_file__never_started__says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="distributary up"):
        log_file(tmp_path, "kafka")


def test_rotate__long_log_held_open_by_a_server__is_copied_and_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOG_BYTES_MAX", 10)
    path = tmp_path / "kafka.log"
    with path.open("ab", buffering=0) as server:
        for number in range(5):
            server.write(f"a long line, {number}\n".encode())
            supervisor.rotate(path)
        server.write(b"short\n")
        supervisor.rotate(path)

    assert path.read_text() == "short\n"
    older = [(tmp_path / f"kafka.log.{number}").read_text() for number in (1, 2, 3)]
    assert older == ["a long line, 4\n", "a long line, 3\n", "a long line, 2\n"]
    assert not (tmp_path / "kafka.log.4").exists()
