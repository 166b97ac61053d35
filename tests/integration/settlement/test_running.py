"""Settlement as its command puts it together: dbt, reference, gate, contract."""

from dataclasses import replace

import pytest

from distributary.store import connect
from orchestration.running import compare, open_settlement
from tests.chain_contract import deploy
from tests.money_model import check_money
from tests.settlement_world import World


@pytest.fixture
def world(fresh_database, tmp_path, start_node) -> World:
    made = World(
        fresh_database(), tmp_path / "lake", deploy(start_node("--block-time=1", "--mixed-mining"))
    )
    made.mine(10)
    return made


@pytest.fixture
def settings(world, tmp_path):
    return replace(
        world.chain.settings,
        home=tmp_path / "home",
        lake=world.lake,
        postgres=world.dsn,
        confirmations=1,
    )


def test_settle__closed_epoch__is_posted_by_dbt_reference_and_gate(world, settings):
    world.answer()
    world.close()
    with open_settlement(settings) as settlement:
        report = settlement.run()
    assert report.active == [1]
    check_money(world)
    with connect(settings.postgres, autocommit=True) as connection:
        _, figures = compare(settings, connection)
    assert [each for each in figures if each.difference] == []
    assert (settings.home / "gate/gx/uncommitted/data_docs/local_site/index.html").exists()
