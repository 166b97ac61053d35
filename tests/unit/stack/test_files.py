"""Files that two processes may write at once."""

import stat
import threading
from pathlib import Path

import pytest

from distributary.stack.files import build_once, read_json, write_atomically, write_json


def test_write_atomically__over_an_old_file__replaces_it_readable_by_its_owner_only(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secret"
    path.write_text("old")

    write_atomically(path, "new")

    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_read_json__damaged__is_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)

    assert read_json(path) == {}


def test_read_json__missing__is_empty(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json") == {}


def test_write_json__read_again__is_the_same(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1, "b"]})

    assert read_json(tmp_path / "a.json") == {"a": [1, "b"]}


def test_build_once__two_at_once__builds_once(tmp_path: Path) -> None:
    builds: list[Path] = []
    entered = threading.Event()

    def build(scratch: Path) -> None:
        entered.set()
        builds.append(scratch)
        (scratch / "file").write_text("whole")

    threads = [
        threading.Thread(target=build_once, args=(tmp_path / "made", build)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert entered.is_set()
    assert len(builds) == 1
    assert (tmp_path / "made" / "file").read_text() == "whole"


def test_build_once__build_failed__leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "made"

    def fail(scratch: Path) -> None:
        (scratch / "part").write_text("half")
        raise OSError("network is down")

    with pytest.raises(OSError, match="network is down"):
        build_once(folder, fail)
    assert not folder.exists()

    build_once(folder, lambda scratch: (scratch / "file").touch())
    assert [path.name for path in folder.iterdir()] == ["file"]
