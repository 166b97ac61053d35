"""Whole runs of settlement on a real contract."""

from tests.money_model import check_money
from tests.settlement_world import run


def test_run__one_closed_epoch__becomes_active(world):
    world.close_one()
    report = run(world)
    assert (report.committed, report.posted, report.active) == ([1], [1], [1])
    assert report.waiting == {}
    check_money(world)
    assert world.chain.contract.read("earnedTotal") > 0


def test_run__again__does_nothing(world):
    world.close_one()
    run(world)
    report = run(world)
    assert (report.committed, report.posted, report.active) == ([], [], [])


def test_run__second_epoch__builds_on_the_first(world):
    world.close_one()
    run(world)
    world.close_one()
    report = run(world)
    assert report.active == [2]
    check_money(world)
