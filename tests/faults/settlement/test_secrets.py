"""No secret of settlement stands in anything that it prints, logs or writes."""

import logging
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from orchestration.chain import local
from orchestration.running import key_files, open_settlement
from orchestration.settlement.stops import StopError
from tests.chain_contract import deploy
from tests.settlement_world import World
from tests.strict_node import SEND, StrictNode


@pytest.mark.timeout(600)
def test_settle__with_debug_logs_and_faults__shows_no_key_password_or_url(
    fresh_database, tmp_path, start_node, capfd, caplog
):
    caplog.set_level(logging.DEBUG)
    world = World(fresh_database(), tmp_path / "lake", deploy(start_node()))
    world.mine(10)
    world.ask("evm_setIntervalMining", 1)
    world.answer()
    world.close()
    with StrictNode(world.chain.node.url) as node:
        settings = replace(
            world.chain.settings,
            chain=node.url,
            home=tmp_path / "home",
            lake=world.lake,
            postgres=world.dsn,
            confirmations=1,
        )
        for kind in ("cut", 503, "odd words"):
            node.fail(SEND, kind, 1)
        node.fail("eth_call", 429, 2)
        with open_settlement(settings) as settlement:
            print(settlement, settlement.actions.transactor)
            settlement.run()
        key, password = key_files(settings)
        secret = password.read_text()
        password.write_text("wrong")
        with pytest.raises(StopError) as stop, open_settlement(settings):
            pass
        password.write_text(secret)
        node.fail("*", 503, 50)
        with pytest.raises(Exception, match="does not answer") as away, open_settlement(settings):
            pass
    out, err = capfd.readouterr()
    shown = [out, err, caplog.text, str(stop.value), str(away.value), repr(settings)]
    written = [
        path.read_text(errors="replace")
        for folder in (settings.home, settings.lake)
        for path in folder.rglob("*")
        if path.is_file() and path not in (key, password)
    ]
    assert written
    secrets = {
        "key": local.known_key(local.SETTLER)[2:],
        "password": secret,
        "node": "secret-token",
        "database": str(urlsplit(world.dsn).password),
    }
    for name, value in secrets.items():
        assert not [text[:200] for text in (*shown, *written) if value in text], name
