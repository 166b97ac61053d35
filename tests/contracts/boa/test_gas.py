"""Gas: no case may cost more than the snapshot says, and the aims at depth 17 are kept."""

import json
from pathlib import Path

import boa
import pytest
from gas import MANY, measure_all
from world import World

SNAPSHOT = Path(__file__).parents[1] / "gas.json"
AIMS = {
    "claim first, depth 17": 98_000,
    "claim later, depth 17": 64_000,
    f"claimMany later a payee of {MANY}, depth 17": 33_000,
    "postRoot later": 100_000,
}


@pytest.fixture(scope="module")
def snapshot() -> dict[str, int]:
    return dict(json.loads(SNAPSHOT.read_text()))


def test_gas__of_every_case__is_not_above_the_snapshot(snapshot: dict[str, int]) -> None:
    """To accept a change on purpose, put what this prints into tests/contracts/gas.json."""
    # A chain of its own: to commit state between transactions would end what others anchored.
    with boa.swap_env(boa.Env()):
        boa.env.time_travel(blocks=1_000)
        measured = measure_all(World.deploy())
    assert measured.keys() == snapshot.keys(), json.dumps(measured, indent=1)
    risen = {case for case, gas in measured.items() if gas > snapshot[case]}
    assert not risen, (sorted(risen), json.dumps(measured, indent=1))


def test_snapshot__at_depth_17__keeps_the_aims(snapshot: dict[str, int]) -> None:
    assert {case: snapshot[case] for case, aim in AIMS.items() if snapshot[case] >= aim} == {}
