"""Whole runs of settlement on a real contract."""

import pytest

from tests.chain_contract import deploy
from tests.money_model import check_money
from tests.settlement_world import World, run


@pytest.fixture
def world(fresh_database, tmp_path, start_node) -> World:
    made = World(fresh_database(), tmp_path / "lake", deploy(start_node()))
    made.mine(10)
    return made


def close_one(world: World) -> int:
    world.answer()
    epoch = world.close()
    world.chain.client.ask("evm_setAutomine", False)
    return epoch


def test_run__one_closed_epoch__becomes_active(world):
    close_one(world)
    report = run(world)
    assert (report.committed, report.posted, report.active) == ([1], [1], [1])
    assert report.waiting == {}
    check_money(world)
    assert world.chain.contract.read("earnedTotal") > 0


def test_run__again__does_nothing(world):
    close_one(world)
    run(world)
    report = run(world)
    assert (report.committed, report.posted, report.active) == ([], [], [])


def test_run__second_epoch__builds_on_the_first(world):
    close_one(world)
    run(world)
    close_one(world)
    report = run(world)
    assert report.active == [2]
    check_money(world)
