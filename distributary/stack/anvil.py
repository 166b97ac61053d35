"""anvil, an EVM node for one machine, from npm: the local chain of an installation."""

import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from distributary.errors import UnavailableError
from distributary.stack.files import build_once, write_atomically
from distributary.stack.node import find_npm
from distributary.stack.ports import keep_ports
from distributary.stack.server import HOST, Report, Server, Site

PACKAGE = Path(__file__).parent / "npm"
# The package of the program alone: `@foundry-rs/anvil` is a launcher that picks one of these.
PROGRAM = Path("node_modules/@foundry-rs/anvil-linux-amd64")
FETCH_S_MAX = 600
CHAIN_ID = 31337
BLOCK_S = 1
# With the default of 32 slots `finalized` would stay at block 0 for a minute.
SLOTS_IN_AN_EPOCH = 1
# What `kill -9` can lose; a dump takes longer as the chain grows (1.2 kB a block).
STATE_INTERVAL_S = 10
ANSWER_S_MAX = 5.0


def release() -> str:
    """The version that the lock file names."""
    lock = json.loads((PACKAGE / "package-lock.json").read_text())
    return str(lock["packages"][PROGRAM.as_posix()]["version"])


def _install(scratch: Path, report: Report) -> None:
    if platform.machine() != "x86_64":
        raise UnavailableError(
            "There is no anvil for this machine: set DISTRIBUTARY_CHAIN to an EVM node of yours.",
            value=platform.machine(),
            code="not_installed",
        )
    report("anvil", f"fetching anvil {release()}", None)
    for name in ("package.json", "package-lock.json"):
        shutil.copy2(PACKAGE / name, scratch)
    # The lock has hashes and no hosts: npm asks the registry that its user has set.
    result = subprocess.run(
        [*find_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=FETCH_S_MAX,
        check=False,
    )
    if result.returncode != 0:
        raise UnavailableError("npm could not fetch anvil.", value=result.stderr.strip()[-500:])


def fetch(cache: Path, report: Report) -> Path:
    """The anvil program, 42 MB, from npm; its hash is checked against the lock file.

    Raises:
        UnavailableError: npm is not there, could not fetch it, or has none for this
            machine.
    """
    folder = build_once(cache / f"anvil-{release()}", lambda to: _install(to, report))
    return folder / PROGRAM / "bin" / "anvil"


def ask(url: str, method: str, *parameters: object) -> Any:
    """One JSON-RPC call, for checks; `orchestration.chain` has the client that settles.

    Raises:
        OSError: it does not answer, or answers with an error; the URL is not named.
    """
    import requests

    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    try:
        answer = requests.post(url, json=body, timeout=ANSWER_S_MAX)
        answer.raise_for_status()
        parsed = answer.json()
    except requests.HTTPError as error:
        raise OSError(f"HTTP status {error.response.status_code}") from None
    except (requests.RequestException, ValueError) as error:
        raise OSError(f"no answer ({type(error).__name__})") from None
    if not isinstance(parsed, dict) or "error" in parsed or "result" not in parsed:
        raise OSError(f"{method} is refused")
    return parsed["result"]


def _ready(url: str) -> str | None:
    try:
        chain_id = int(ask(url, "eth_chainId"), 16)
    except (OSError, TypeError, ValueError) as error:
        return str(error)
    return None if chain_id == CHAIN_ID else f"another chain answers: {chain_id}"


def keep_state(state: Path) -> None:
    """Copies a readable state file aside, and puts the copy in the place of a torn one.

    anvil writes the file in place, so a crash can leave half of it, which it would refuse.
    """
    kept = state.with_name("state.kept.json")
    if not state.exists():
        return
    try:
        json.loads(state.read_text())
    except ValueError:
        if kept.exists():
            write_atomically(state, kept.read_text())
        else:
            state.unlink()
    else:
        write_atomically(kept, state.read_text())


def describe(site: Site, program: Path) -> Server:
    """Anvil of one installation: chain 31337, a block a second, its state kept."""
    folder = site.home / "anvil"
    port = keep_ports(site.home, ["anvil"])["anvil"]
    state, url = folder / "state.json", f"http://{HOST}:{port}"
    options = {
        "host": HOST,
        "port": port,
        "chain-id": CHAIN_ID,
        "block-time": BLOCK_S,
        "slots-in-an-epoch": SLOTS_IN_AN_EPOCH,
        "state": state,
        "state-interval": STATE_INTERVAL_S,
        "cache-path": folder / "cache",
    }

    def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        keep_state(state)

    return Server(
        name="anvil",
        argv=(str(program), *(f"--{name}={value}" for name, value in options.items())),
        folder=folder,
        endpoints={"chain": url},
        ports=(port,),
        prepare=prepare,
        ready=lambda: _ready(url),
        environment={"NO_COLOR": "1"},
        ready_s_max=30.0,
    )
