"""Settlement as its commands put it together: dbt, reference, gate, contract."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from distributary.cli.main import app
from distributary.settings import Settings
from orchestration.chain.errors import ChainStopError
from orchestration.dbt import Dbt
from orchestration.running import hold_fail_safe, open_settlement
from orchestration.settlement.stops import StopError
from tests.chain_contract import deploy
from tests.money_model import check_money
from tests.settlement_world import PAYEE, World

MODEL_S_MAX = 400


@pytest.fixture
def world(fresh_database, tmp_path, start_node) -> World:
    made = World(fresh_database(), tmp_path / "lake", deploy(start_node()))
    made.mine(10)
    made.ask("evm_setIntervalMining", 1)
    made.answer()
    made.close()
    return made


@pytest.fixture
def settings(world, tmp_path) -> Settings:
    return replace(
        world.chain.settings,
        home=tmp_path / "home",
        lake=world.lake,
        postgres=world.dsn,
        confirmations=1,
    )


@pytest.fixture
def environment(settings) -> dict[str, str]:
    """The variables of this installation."""
    names = ("home", "lake", "postgres", "chain", "contract", "contract_block", "confirmations")
    return {f"DISTRIBUTARY_{name.upper()}": str(getattr(settings, name)) for name in names}


@pytest.fixture
def command(environment, monkeypatch):
    """Runs a command of this installation and returns its JSON."""
    handlers = logging.root.handlers[:]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, [*arguments, "--json"])
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.stdout)

    yield run
    # `settle` sends all logs to the standard error of its process, which ends here.
    logging.root.handlers[:] = handlers


@pytest.mark.timeout(600)
def test_commands__from_a_closed_epoch__settle_check_and_reconcile(world, settings, command):
    planned = command("settle", "--dry-run")
    assert planned["commit"] == [1]
    assert not (settings.home / "keys").exists()
    settled = command("settle")
    assert (settled["committed"], settled["active"], settled["waiting"]) == ([1], [1], {})
    check_money(world)
    found = command("gate", "1")
    assert found["verdict"] == "passed"
    assert (settings.home / "gate/gx/uncommitted/data_docs/local_site/index.html").exists()
    assert command("reconcile")["differing"] == 0
    # A claim is a movement that both sides must see.
    with psycopg.connect(world.dsn) as connection:
        assert connection.execute(
            "select units > 0 from rewards.fct_reward_lines where payee = %s", (PAYEE,)
        ).fetchall()
        connection.execute("set session_replication_role = replica")
        connection.execute("update settlement.posted_leaves set cumulative_units = 1 where kind=0")
    differing = command("reconcile", code=1)
    names = [each["name"] for each in differing["figures"] if each["difference"] != "0"]
    assert names == ["active root", "earned total"]


def test_hold_fail_safe__after_an_outage__shuts_it_until_a_posting_can_come(world, settings):
    contract = world.chain.contract
    with open_settlement(settings) as settlement:
        with pytest.raises((StopError, ChainStopError)) as stop:
            hold_fail_safe(settlement)
        assert stop.value.code == "call_refused"
        world.ask("evm_increaseTime", int(contract.read("failSafeS")) + 1)
        world.mine(2)
        hold_fail_safe(settlement)
    head = world.ask("eth_getBlockByNumber", "latest", False)
    assert contract.read("failSafeHeldUntil") > int(head["timestamp"], 16)


@pytest.mark.timeout(900)
def test_settle__killed_inside_a_model_and_refreshed_by_an_analyst__gives_one_root(
    world, settings, environment, tmp_path
):
    child = subprocess.Popen(
        [sys.executable, "-m", "distributary", "settle"],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_a_model(world.dsn, child)
    finally:
        child.kill()
    assert child.wait() == -signal.SIGKILL
    Dbt(world.dsn, tmp_path / "analyst", "analyst").run(full_refresh=True)
    with open_settlement(settings) as settlement:
        report = settlement.run()
    assert report.active == [1]
    check_money(world)


def _wait_for_a_model(dsn: str, child: "subprocess.Popen[bytes]") -> None:
    """Until dbt has built some tables of rewards and not all of them."""
    began = time.monotonic()
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() - began < MODEL_S_MAX:
            row = connection.execute(
                "select count(*) from pg_tables where schemaname = 'rewards'"
            ).fetchone()
            if row and row[0]:
                return
            assert child.poll() is None
            time.sleep(0.01)
    raise AssertionError("dbt never came to the rewards")
