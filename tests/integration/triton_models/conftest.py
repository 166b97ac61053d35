from collections.abc import Iterator
from pathlib import Path

import pytest

from distributary.settings import load_settings
from distributary.stack.server import quiet
from distributary.stack.triton_environment import fetch
from tests.integration.triton_models.calls import Calls, connect


@pytest.fixture(scope="session")
def triton_python() -> Path:
    """The Python of Triton's environment."""
    return fetch(load_settings().cache, quiet) / "bin" / "python"


@pytest.fixture(scope="module")
def calls(triton: str) -> Iterator[Calls]:
    with connect(triton) as connected:
        yield connected
