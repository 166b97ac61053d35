"""Whether this machine can run the servers: Python, Java, Go, disk, memory, ports."""

import ctypes.util
import platform
import shutil
import sys
import sysconfig
from pathlib import Path

import psutil

from distributary.errors import UnavailableError
from distributary.stack.device import find_device
from distributary.stack.endpoints import Finding
from distributary.stack.files import read_json
from distributary.stack.java import find_java, major_version
from distributary.stack.node import find_npm
from distributary.stack.ports import is_free
from distributary.stack.prism import find_go, go_version
from distributary.stack.state import supervisor_pid

DISK_BYTES_MIN = 3_000_000_000  # the downloads take 1.5 GB, Kafka and Postgres need room
MEMORY_BYTES_MIN = 3_000_000_000  # all six servers with the model take about 2.6 GB


def check_python() -> Finding:
    """Python 3.11 with its shared library, which Triton's stubs load."""
    version = platform.python_version()
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    folder = Path(str(sysconfig.get_config_var("LIBDIR")))
    if (folder / name).exists() or ctypes.util.find_library(name[3:].partition(".so")[0]):
        return Finding("python", True, f"{version}, {name} found")
    advice = "Install the package libpython3.11, or a Python that was built with --enable-shared."
    return Finding("python", False, f"{version}, but {name} is not in {folder}", advice)


def check_java() -> Finding:
    """A Java that Kafka runs on."""
    try:
        program = find_java()
    except UnavailableError as error:
        return Finding("java", False, "none is new enough", str(error))
    return Finding("java", True, f"version {major_version(program)} at {program}")


def check_go() -> Finding:
    """A Go that can build Prism."""
    try:
        program = find_go()
    except UnavailableError as error:
        return Finding("go", False, "none is new enough", str(error))
    version = ".".join(str(part) for part in go_version(program))
    return Finding("go", True, f"version {version} at {program}")


def check_npm() -> Finding:
    """An npm that can fetch anvil."""
    try:
        command = find_npm()
    except UnavailableError as error:
        return Finding("npm", False, "none is new enough", str(error))
    return Finding("npm", True, f"at {command[-1]}")


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def check_disk(folder: Path, bytes_min: int = DISK_BYTES_MIN) -> Finding:
    """Room for data or downloads in `folder`."""
    free = shutil.disk_usage(_existing(folder.resolve())).free
    text = f"{free / 1e9:.1f} GB free for {folder}"
    if free >= bytes_min:
        return Finding("disk", True, text)
    return Finding("disk", False, text, f"Free at least {bytes_min / 1e9:.0f} GB there.")


def check_memory(available_bytes: int) -> Finding:
    """Room in memory for the servers."""
    text = f"{available_bytes / 1e9:.1f} GB available, models run on the {find_device().upper()}"
    if available_bytes >= MEMORY_BYTES_MIN:
        return Finding("memory", True, text)
    return Finding("memory", False, text, "Close other programs, or start fewer: `up --only`.")


def check_ports(home: Path) -> Finding:
    """Whether the kept ports are free, while the servers are stopped."""
    kept = read_json(home / "ports.json")
    if supervisor_pid(home) is not None:
        return Finding("ports", True, "in use by the servers")
    taken = [f"{name} {port}" for name, port in sorted(kept.items()) if not is_free(int(port))]
    if taken:
        text = f"taken by other programs: {', '.join(taken)}"
        return Finding("ports", True, text, "Others are chosen at the next `distributary up`.")
    return Finding("ports", True, "free")


def check_machine(home: Path, cache: Path, *, stopped: bool) -> list[Finding]:
    """One finding per thing that the servers need; memory only while they are stopped."""
    findings = [check_python(), check_java(), check_go(), check_npm(), check_ports(home)]
    findings += [check_disk(folder) for folder in (home, cache)]
    if stopped:
        findings.append(check_memory(psutil.virtual_memory().available))
    return findings
