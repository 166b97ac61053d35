"""Fixtures. titanoboa's own plugin takes back what each test and fixture did to the chain."""

from pathlib import Path

import boa
import pytest
from boa.contracts.vyper.vyper_contract import VyperContract
from hypothesis import HealthCheck, settings
from world import World, address_of, deployed

# titanoboa prints a contract's whole storage into every revert: 0.1 s each, for hundreds of them.
VyperContract.__repr__ = lambda self: str(self.address)  # type: ignore[method-assign]

# Deployed once, before anything is anchored: each test starts from here.
WORLD = deployed()
ODD_WORLD = World.deploy(boa.load(str(Path(__file__).parent / "OddToken.vy")))

settings.register_profile(
    "contracts",
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    # titanoboa anchors the chain inside each example.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("contracts")


@pytest.fixture
def world() -> World:
    return WORLD


@pytest.fixture
def customer() -> str:
    return address_of("customer")


@pytest.fixture
def payee() -> str:
    return address_of("payee")


@pytest.fixture
def attacker() -> str:
    return address_of("attacker")


@pytest.fixture
def odd_world() -> World:
    """A contract on a token with knobs."""
    return ODD_WORLD
