"""Finding servers inside installed wheels without importing them."""

from importlib.util import find_spec
from pathlib import Path

from distributary.errors import UnavailableError


def wheel_folder(package: str, server: str) -> Path:
    """The folder of an installed package.

    Raises:
        UnavailableError: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(
            f"The package {package} is not installed: run `make venv`, "
            f"or set DISTRIBUTARY_{server.upper()} to a server of yours.",
            code="not_installed",
        )
    return Path(spec.submodule_search_locations[0])
