"""What every layer of tests shares: the servers' fixtures, and no network for unit tests."""

import socket
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.servers", "tests.anvil_node", "tests.chain_contract"]

UNIT = Path(__file__).parent / "unit"


@pytest.fixture(autouse=True)
def no_network_in_unit_tests(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit test that opens a connection fails at once, and says why."""
    if not request.path.is_relative_to(UNIT):
        return

    def refuse(_self: socket.socket, address: Any) -> None:
        raise AssertionError(f"A unit test connects to {address!r}: move it to tests/integration.")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
