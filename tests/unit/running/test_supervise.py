"""Supervision, with real child processes that end as they are told."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from distributary.errors import ExitCode, GaveUpError
from distributary.supervise import Policy, supervise


@pytest.fixture(autouse=True)
def own_signal_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def command(code: str) -> list[str]:
    return [sys.executable, "-c", f"import os, pathlib, sys, time; {code}"]


def is_gone(pid: int) -> bool:
    """Whether a killed process is gone, or is only waiting for init to notice, within 10 s."""
    for _ in range(1_000):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def never(_seconds: float) -> None:
    raise AssertionError("It was started again.")


@pytest.mark.parametrize("code", [ExitCode.OK, ExitCode.USAGE, ExitCode.INPUT, ExitCode.SUPERSEDED])
def test_supervise__ends_for_good__is_not_started_again(code: ExitCode) -> None:
    assert supervise(command(f"sys.exit({int(code)})"), Policy(), sleep=never) == code


def test_supervise__fails_then_ends__is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = (
        f"file = pathlib.Path({str(count)!r}); "
        "runs = int(file.read_text()) + 1 if file.exists() else 1; file.write_text(str(runs)); "
        "sys.exit(0 if runs == 4 else 1)"
    )
    pauses: list[float] = []
    assert supervise(command(script), Policy(pause_s_min=0.5), sleep=pauses.append) == 0
    assert pauses == [0.5, 1.0, 2.0]


def test_supervise__fails_in_a_row__gives_up_loudly() -> None:
    pauses: list[float] = []
    with pytest.raises(GaveUpError, match="3 times in a row"):
        supervise(command("sys.exit(4)"), Policy(failures_max=3), sleep=pauses.append)
    assert len(pauses) == 2


def test_supervise__fails_after_a_steady_run__counts_anew() -> None:
    now = iter(range(0, 10_000, 100))  # every look at the clock is 100 s later
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    policy = Policy(failures_max=2, steady_s=60)
    assert supervise(command("sys.exit(1)"), policy, lambda: float(next(now)), sleep) == 0
    assert pauses == [policy.pause_s_min] * 5


def test_supervise__job_is_killed__what_it_left_is_ended(tmp_path: Path) -> None:
    left = tmp_path / "left"
    script = (
        "import subprocess; child = subprocess.Popen(['sleep', '600']); "
        f"pathlib.Path({str(left)!r}).write_text(str(child.pid)); os.kill(os.getpid(), 9)"
    )
    with pytest.raises(GaveUpError):
        supervise(command(script), Policy(failures_max=1))
    assert is_gone(int(left.read_text()))


def test_supervise__told_to_stop__passes_it_on_and_returns_the_drains_code(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = (
        "import signal; "
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(600)"
    )
    waiter = os.fork()
    if waiter == 0:
        while not ready.exists():
            pass
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(0)
    assert supervise(command(script), Policy(), sleep=never) == 0
    os.waitpid(waiter, 0)


def test_supervise__told_to_stop_while_it_starts_the_child__passes_it_on_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class ToldMeanwhile(subprocess.Popen[bytes]):
        """The signal comes once the child exists and before anybody knows of it."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", ToldMeanwhile)

    assert supervise(command("time.sleep(600)"), Policy(), sleep=never) == 0


def test_policy__many_failures__pause_has_a_ceiling() -> None:
    assert Policy().pause_s(50) == Policy().pause_s_max
