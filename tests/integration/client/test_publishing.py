"""`distributary run accounts` as an operator runs it: killed, drained, and not to be mended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

from distributary import enrolment
from distributary.errors import ExitCode
from distributary.settings import Settings
from distributary.store import connect

LIMIT_S = 60.0


class Running:
    """The command with its log."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process, self._log = process, log

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        found = [json.loads(line) for line in self._log.read_text().splitlines() if line[:1] == "{"]
        return [line for line in found if line["msg"] == message]

    def child(self) -> psutil.Process:
        """The publisher itself."""
        (found,) = psutil.Process(self.process.pid).children()
        return found

    def text(self) -> str:
        """The whole log."""
        return self._log.read_text()


def wait(what: str, done: Callable[[], Any]) -> None:
    until = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < until, what
        time.sleep(0.05)


@contextmanager
def running(settings: Settings, log: Path) -> Iterator[Running]:
    names = ("home", "kafka", "postgres", "topic_prefix")
    given = {f"DISTRIBUTARY_{name.upper()}": str(getattr(settings, name)) for name in names}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DISTRIBUTARY_")}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributary", "run", "accounts"],
            env=kept | given | {"DISTRIBUTARY_METRICS_PORT_ACCOUNTS": "0"},
            stdout=stream,
            stderr=stream,
        )
    try:
        yield Running(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT_S)


def published(run: Running, account: str) -> int:
    return sum(line["account"] == account for line in run.lines("account published"))


def add_credit(settings: Settings, account: str) -> None:
    """Credit that nobody publishes but the process under test."""
    with connect(settings.postgres) as connection:
        connection.execute(
            "insert into grants (account, units, note) values (%s, 1, 'test')", [account]
        )


def test_run_accounts__publisher_is_killed__is_started_again_and_drains(
    registered: Settings, tmp_path: Path
) -> None:
    account = enrolment.create_account(registered, "payer", 5).address
    with running(registered, tmp_path / "log") as run:
        add_credit(registered, account)
        wait("the first round", lambda: published(run, account) == 1)
        url = run.lines("metrics served")[-1]["url"]
        with urlopen(url) as reply:
            assert b"distributary_accounts_round_age_seconds" in reply.read()

        os.kill(run.child().pid, signal.SIGKILL)
        add_credit(registered, account)
        wait("a round after the kill", lambda: published(run, account) == 2)
        assert len(run.lines("job failed")) == 1

        child = run.child()
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(LIMIT_S) == ExitCode.OK
        assert not child.is_running()


def test_run_accounts__a_topic_is_missing__ends_with_a_word(
    registered: Settings, tmp_path: Path
) -> None:
    with running(replace(registered, topic_prefix="none."), tmp_path / "log") as run:
        assert run.process.wait(LIMIT_S) == ExitCode.INPUT
        assert "error bad_topic: " in run.text()
        assert "Traceback" not in run.text()
