"""Servers that these tests may kill, apart from the session's."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributary.stack.local import LocalStack
from tests.inference_job import ROOT

SERVERS = ("kafka", "postgres", "valkey", "triton", "prism")
MODELS = (ROOT / "triton_models" / "simulated", Path(__file__).parent / "models" / "attribute")
SERVICE_MS = 200  # of a batch of 64: eight in flight make about 2,500 requests a second


@pytest.fixture(scope="session")
def killable_once(
    tmp_path_factory: pytest.TempPathFactory, servers_cache: Path
) -> Iterator[LocalStack]:
    """The simulated model and the double of `attribute` on a Triton, and all other servers."""
    home = tmp_path_factory.mktemp("killable")
    models = home / "models"
    for model in MODELS:
        shutil.copytree(model, models / model.name)
    with LocalStack(home, (), servers_cache, models) as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DISTRIBUTARY_SIMULATED_MS", str(SERVICE_MS))
            stack.start(*SERVERS)
        yield stack


@pytest.fixture
def killable(killable_once: LocalStack) -> LocalStack:
    """The servers, all of them alive."""
    killable_once.start(*SERVERS)
    return killable_once
