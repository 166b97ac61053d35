"""What every layer of tests shares: the servers' fixtures, and no network for unit tests."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# No test asserts a time: a busy machine is no defect.
settings.register_profile("distributary", deadline=None)
settings.load_profile("distributary")

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


@pytest.fixture(autouse=True)
def default_signals() -> Iterator[None]:
    """No test inherits what a command that ran in this process made of SIGTERM and SIGINT.

    A server that a later test starts would inherit it too, and not stop when it is told to.
    """
    _restore_signals()
    yield
    _restore_signals()


def _restore_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
