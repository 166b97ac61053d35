"""The inference job as a process of its own: started, drained and killed by a test."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from distributary.settings import Settings

ROOT = Path(__file__).parent.parent
STARTED_S_MAX = 90.0
ENDED_S_MAX = 60.0


def wait_until(done: Callable[[], object], limit_s: float, what: str) -> None:
    """Polls a condition; fails with `what` after `limit_s`."""
    until = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def environment(settings: Settings, prefix: str, home: Path, **more: object) -> dict[str, str]:
    """The environment of a job against the servers of `settings`."""
    given = {
        "KAFKA": settings.kafka,
        "VALKEY": settings.valkey,
        "PRISM": settings.prism,
        "TRITON": settings.triton,
        "TOPIC_PREFIX": prefix,
        "HOME": home,
        "CACHE": settings.cache,
        "METRICS_PORT_INFERENCE": 0,
    } | {name.upper(): value for name, value in more.items()}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DISTRIBUTARY_")}
    return kept | {f"DISTRIBUTARY_{name}": str(value) for name, value in given.items()}


class InferenceJob:
    """`python -m pipelines.inference` in a session of its own, its log in a file."""

    def __init__(self, environ: Mapping[str, str], log: Path, *options: str) -> None:
        self._log = log
        self._start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.inference", *options],
                cwd=ROOT,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The job's process."""
        return self._process.pid

    def lines(self) -> list[dict[str, Any]]:
        """Its structured log lines since it started."""
        with self._log.open("rb") as stream:
            stream.seek(self._start)
            found = []
            for line in stream.read().splitlines():
                with suppress(ValueError):
                    found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict)]

    def said(self, message: str) -> int:
        """How many log lines have this message."""
        return sum(line.get("msg") == message for line in self.lines())

    def wait_started(self, partitions: int = 4) -> "InferenceJob":
        """Waits until every lane is open."""

        def started() -> bool:
            assert self._process.poll() is None, f"the job ended: {self.lines()[-5:]}"
            return self.said("lane opened") >= partitions

        wait_until(started, STARTED_S_MAX, f"the job did not start: see {self._log}")
        return self

    def prism_pid(self) -> int:
        """The process of the runner that it started."""
        children = psutil.Process(self.pid).children(recursive=True)
        (prism,) = [child for child in children if "prism" in child.name()]
        return int(prism.pid)

    def wait(self, limit_s: float = ENDED_S_MAX) -> int:
        """Waits for its end; returns the exit code."""
        code = self._process.wait(limit_s)
        self._end_session()
        return code

    def drain(self, limit_s: float = ENDED_S_MAX) -> int:
        """SIGTERM; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait(limit_s)

    def kill(self) -> None:
        """`kill -9` of the job, as a crash would; then what it had started."""
        self._process.kill()
        self.wait()

    def _end_session(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


@contextmanager
def running(environ: Mapping[str, str], log: Path, partitions: int = 4) -> Iterator[InferenceJob]:
    """A started job, ended with the block whatever became of it."""
    job = InferenceJob(environ, log)
    try:
        yield job.wait_started(partitions)
    finally:
        job.kill()
