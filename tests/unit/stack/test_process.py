"""A process is recognised by number, start and command line, and nothing else is ended."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM

import pytest

from distributary.errors import UnavailableError
from distributary.stack.process import (
    Identity,
    ServerProcess,
    child_environment,
    end_stale,
    launcher,
    session_members,
    start_ticks,
    wait_ready,
    wait_until,
)
from distributary.stack.server import Server

SLEEPER = "import sys, time; print('up', flush=True); time.sleep(600)"
PARENT = (
    "import subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print('up', flush=True); time.sleep(600)"
)


def make_server(tmp_path: Path, code: str = SLEEPER, ready_s_max: float = 20.0) -> Server:
    log = tmp_path / "server.log"
    return Server(
        name="server",
        argv=(sys.executable, "-c", code),
        folder=tmp_path,
        endpoints={},
        ports=(),
        prepare=lambda: None,
        ready=lambda: None if "up" in log.read_text() else "it has not said `up`",
        ready_s_max=ready_s_max,
        stop_s_max=10.0,
    )


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServerProcess]:
    started = ServerProcess(make_server(tmp_path), tmp_path / "server.log")
    wait_ready(started, tmp_path / "server.log")
    yield started
    started.stop(immediate=True)


def test_identity__of_the_running_process__is_alive(process: ServerProcess) -> None:
    assert process.identity.alive()
    assert Identity.from_json(process.identity.as_json()) == process.identity


def test_identity__same_number_but_another_start__is_not_alive(process: ServerProcess) -> None:
    assert not replace(process.identity, ticks=process.identity.ticks + 1).alive()


def test_identity__same_number_but_another_command__is_not_alive(process: ServerProcess) -> None:
    assert not replace(process.identity, argv=("kafka.Kafka",)).alive()


def test_end_stale__another_process_has_the_number__is_left_alone(process: ServerProcess) -> None:
    stale = replace(process.identity, ticks=process.identity.ticks + 1)

    assert not end_stale(stale, SIGTERM, 1.0)

    assert process.identity.alive()


def test_end_stale__that_very_process__is_ended(process: ServerProcess) -> None:
    assert end_stale(process.identity, SIGTERM, 10.0)

    assert not process.identity.alive()


def test_stop__twice__is_harmless(process: ServerProcess) -> None:
    process.stop()
    process.stop()

    assert process.exit_code == -SIGTERM


def test_stop__server_with_a_child__takes_the_child_along(tmp_path: Path) -> None:
    started = ServerProcess(make_server(tmp_path, PARENT), tmp_path / "server.log")
    wait_ready(started, tmp_path / "server.log")
    assert wait_until(lambda: len(session_members(started.pid)) == 2, 10.0)

    started.stop(immediate=True)

    assert session_members(started.pid) == []


def test_wait_ready__server_ends__says_so_and_names_the_log(tmp_path: Path) -> None:
    started = ServerProcess(make_server(tmp_path, "raise SystemExit(7)"), tmp_path / "server.log")

    with pytest.raises(UnavailableError, match=r"ended with code 7.*server\.log"):
        wait_ready(started, tmp_path / "server.log")


def test_wait_ready__never_answers__says_why_not(tmp_path: Path) -> None:
    silent = make_server(tmp_path, "import time; time.sleep(600)", ready_s_max=0.1)
    started = ServerProcess(silent, tmp_path / "server.log")
    try:
        with pytest.raises(UnavailableError, match="has not said"):
            wait_ready(started, tmp_path / "server.log")
    finally:
        started.stop(immediate=True)


def test_launcher__parent_dies__server_gets_its_stop_signal(tmp_path: Path) -> None:
    argv = launcher([sys.executable, "-c", SLEEPER], SIGTERM, "-")
    # The number of this test is replaced by that of the short-lived parent.
    code = (
        "import os, subprocess, sys;"
        "argv = sys.argv[1:]; argv[4] = str(os.getpid());"
        "child = subprocess.Popen(argv, stdout=subprocess.PIPE);"
        "child.stdout.readline(); print(child.pid, flush=True); os._exit(0)"
    )
    parent = make_server(tmp_path)
    parent = replace(parent, argv=(sys.executable, "-c", code, *argv))
    log = tmp_path / "parent.log"

    started = ServerProcess(parent, log)

    assert wait_until(lambda: started.exit_code is not None and bool(log.read_text()), 20.0)
    pid = int(log.read_text())
    assert wait_until(lambda: start_ticks(pid) is None, 10.0)


def test_child_environment__secrets_of_the_shell__are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")

    assert "SOME_TOKEN" not in child_environment({})
    assert child_environment({"PATH": "/mine"})["PATH"] == "/mine"


def test_start_ticks__no_such_process__is_none() -> None:
    assert start_ticks(2**22 + 1) is None
    assert start_ticks(os.getpid()) is not None
