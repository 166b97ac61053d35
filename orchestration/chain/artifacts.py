"""The compiled contracts that are checked in, or that the wheel brought."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from distributary.errors import UnavailableError

# In a checkout, then in an installed wheel.
_CANDIDATES: Final = (
    Path(__file__).parents[2] / "contracts" / "artifacts",
    Path(__file__).parents[2] / "distributary" / "contracts" / "artifacts",
)


@dataclass(frozen=True)
class Artifact:
    """A compiled contract: its ABI, and the code that makes it when it is deployed."""

    abi: list[dict[str, Any]]
    bytecode: str


def find_artifacts(candidates: Iterable[Path] = _CANDIDATES) -> Path:
    """The folder of the compiled contracts.

    Raises:
        UnavailableError: this installation lacks them.
    """
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise UnavailableError("The compiled contracts are missing: reinstall distributary.")


@cache
def load_artifact(name: str) -> Artifact:
    """`Distributary` or `DemoToken`.

    Raises:
        UnavailableError: this installation lacks it.
    """
    path = find_artifacts() / f"{name}.json"
    if not path.exists():
        raise UnavailableError(
            "A compiled contract is missing: reinstall distributary.", value=name
        )
    parsed = json.loads(path.read_text())
    code = str(parsed["bytecode"])
    return Artifact(parsed["abi"], code if code.startswith("0x") else "0x" + code)
