"""The environment that Triton runs in: a venv of its own, since its wheel pins numpy < 2."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from distributary.errors import UnavailableError
from distributary.stack.files import build_once
from distributary.stack.server import Report

PYTHON = "3.11"
ROOT = Path(__file__).parents[2]
# In a checkout, then in an installed wheel.
REQUIREMENTS = (ROOT / "requirements" / "triton.txt", Path(__file__).parent / "triton.txt")


def find_requirements(candidates: Iterable[Path] = REQUIREMENTS) -> Path:
    """The locked requirements of the environment.

    Raises:
        UnavailableError: this installation lacks them.
    """
    for path in candidates:
        if path.exists():
            return path
    raise UnavailableError(
        "The locked requirements of Triton are missing: reinstall distributary, "
        "or set DISTRIBUTARY_TRITON and DISTRIBUTARY_TRITON_TRUSTED to a Triton of yours."
    )


def site_packages(environment: Path) -> Path:
    """Where the environment's packages are."""
    return environment / "lib" / f"python{PYTHON}" / "site-packages"


def server_folder(environment: Path) -> Path:
    """The folder that holds Triton's program and backends."""
    return site_packages(environment) / "pytriton" / "tritonserver"


def _install(environment: Path, requirements: Path, report: Report) -> None:
    packages = sum(line[:1].isalnum() for line in requirements.read_text().splitlines())
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--no-input"]
    options = ["--require-hashes", "--only-binary=:all:", "--no-compile", "-r", str(requirements)]
    lines: list[str] = []
    with subprocess.Popen(
        [*pip, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            collected = sum(text.startswith("Collecting") for text in lines)
            report("triton", "fetching Triton", collected / packages * 0.9)
    if process.returncode != 0:
        raise UnavailableError(
            "pip could not install Triton's environment.", value="".join(lines[-5:]).strip()
        )


def _build(scratch: Path, requirements: Path, report: Report) -> None:
    report("triton", "fetching Triton", 0.0)
    subprocess.run([sys.executable, "-m", "venv", str(scratch)], check=True, capture_output=True)
    _install(scratch, requirements, report)
    server = server_folder(scratch)
    stub = server / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    # The wheel leaves it to its own launcher to pick the stub of the right Python.
    shutil.copy2(stub, server / "backends" / "python")


def fetch(cache: Path, report: Report) -> Path:
    """The environment's folder, keyed by its requirements; about 550 MB.

    Raises:
        UnavailableError: pip could not install it.
    """
    requirements = find_requirements()
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    return build_once(cache / f"triton-{key}", lambda to: _build(to, requirements, report))
