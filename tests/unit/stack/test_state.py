"""What supervisor and command line tell each other."""

import os
from pathlib import Path

from distributary.stack.server import Site
from distributary.stack.state import (
    LOCK,
    Wanted,
    end_leftovers,
    read_state,
    supervising,
    supervisor_pid,
    wanted,
    write_state,
)


def test_supervisor_pid__nobody_holds_the_lock__is_none(tmp_path: Path) -> None:
    assert supervisor_pid(tmp_path) is None

    (tmp_path / LOCK).write_text(str(os.getpid()))

    assert supervisor_pid(tmp_path) is None


def test_supervising__second_in_the_same_home__is_refused(tmp_path: Path) -> None:
    with supervising(tmp_path) as first, supervising(tmp_path) as second:
        assert first
        assert not second
        assert supervisor_pid(tmp_path) == os.getpid()

    assert supervisor_pid(tmp_path) is None


def test_wanted__written__is_read_back(tmp_path: Path) -> None:
    site = Site(tmp_path, tmp_path / "cache", tmp_path / "models", tmp_path / "lake")
    wish = wanted(3, ("kafka", "prism"), site)

    wish.write(tmp_path)

    assert Wanted.read(tmp_path) == wish
    assert wish.site(tmp_path) == site


def test_wanted__never_written__is_none(tmp_path: Path) -> None:
    assert Wanted.read(tmp_path) is None


def test_end_leftovers__recorded_number_belongs_to_somebody_else__leaves_it_alone(
    tmp_path: Path,
) -> None:
    process = {"pid": os.getpid(), "ticks": 1, "argv": ["kafka"]}
    write_state(tmp_path, 1, {"kafka": {"process": process, "stop_signal": 15, "stop_s_max": 1.0}})

    assert end_leftovers(tmp_path) == []
    assert read_state(tmp_path)["number"] == 1
