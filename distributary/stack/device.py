"""Where models run: on the GPU where there is one, else on the CPU."""

import shutil
import subprocess
from pathlib import Path
from typing import Literal

Device = Literal["cpu", "gpu"]
NVIDIA_DEVICE = Path("/dev/nvidia0")


def find_device(node: Path = NVIDIA_DEVICE) -> Device:
    """`gpu` where the kernel shows an NVIDIA device and `nvidia-smi` can talk to it."""
    program = shutil.which("nvidia-smi")
    if program is None or not node.exists():
        return "cpu"
    result = subprocess.run([program, "-L"], capture_output=True, timeout=30, check=False)
    return "gpu" if result.returncode == 0 and result.stdout.startswith(b"GPU") else "cpu"


def with_device(config: str, device: Device) -> str:
    """A model's `config.pbtxt` with its `KIND_AUTO` instance groups put on `device`.

    Groups of another kind stay: `attribute` and `simulated` belong on the CPU everywhere.
    """
    return config.replace("KIND_AUTO", f"KIND_{device.upper()}")
