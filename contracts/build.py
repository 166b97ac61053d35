"""Compiles the contracts into `contracts/artifacts`, by the Vyper of requirements/contracts.txt.

Run as `.venv/contracts/bin/python -m contracts.build`; `--check` compares and writes nothing.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

CONTRACTS: Final = ("DemoToken", "Distributary")
FOLDER: Final = Path(__file__).parent
ARTIFACTS: Final = FOLDER / "artifacts"


def compile_contract(name: str) -> dict[str, Any]:
    """The artefact of one contract: `abi`, `bytecode` (0x and hex) and `compiler`.

    Raises:
        vyper.exceptions.VyperException: the source does not compile.
    """
    # Only the environment of the contracts has it.
    vyper: Any = import_module("vyper")
    source = (FOLDER / f"{name}.vy").read_text()
    output = vyper.compile_code(
        source, contract_path=f"{name}.vy", output_formats=["abi", "bytecode"]
    )
    return {
        "abi": output["abi"],
        "bytecode": output["bytecode"],
        "compiler": f"vyper {vyper.__version__}",
    }


def render(artifact: dict[str, Any]) -> str:
    """The artefact's file: JSON that differs only where the contract does."""
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def stale() -> list[str]:
    """The contracts whose checked-in artefact is not what their source compiles to."""
    return [name for name in CONTRACTS if _checked_in(name) != render(compile_contract(name))]


def build() -> None:
    """Writes every artefact."""
    ARTIFACTS.mkdir(exist_ok=True)
    for name in CONTRACTS:
        (ARTIFACTS / f"{name}.json").write_text(render(compile_contract(name)))


def _checked_in(name: str) -> str | None:
    path = ARTIFACTS / f"{name}.json"
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(f"Run `python -m contracts.build`: stale are {names}" if (names := stale()) else 0)
    build()
