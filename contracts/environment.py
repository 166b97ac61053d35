"""The environment that compiles and tests the contracts: titanoboa pins packages of its own.

`python -m contracts.environment` builds it in `.venv/contracts` where it is not there for the
present `requirements/contracts.txt`, and prints the path of its Python.
"""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

from distributary.stack.files import locked

ROOT: Final = Path(__file__).parents[1]
REQUIREMENTS: Final = ROOT / "requirements" / "contracts.txt"
FOLDER: Final = ROOT / ".venv" / "contracts"


def _install(python: Path) -> None:
    wanted = ["--require-hashes", "-r", str(REQUIREMENTS)]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    # uv is five times as fast, but where a registry is set in pip.conf only pip knows it.
    if subprocess.run([*uv, *wanted], check=False, capture_output=True).returncode:
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True)


def ensure_environment() -> Path:
    """The Python of the contracts' environment, which is built on the first call (20 s).

    Raises:
        subprocess.CalledProcessError: its packages could not be installed.
    """
    key = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    stamp, python = FOLDER / f".installed-{key}", FOLDER / "bin" / "python"
    with locked(FOLDER.with_name("contracts.lock")):
        if not stamp.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True)
            _install(python)
            stamp.touch()
    return python


if __name__ == "__main__":
    sys.stdout.write(f"{ensure_environment()}\n")
