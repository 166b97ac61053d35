"""`up`, `down`, `status`, `logs` and `doctor` as a user calls them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from distributary import keys
from distributary.errors import ExitCode
from distributary.stack.process import start_ticks, wait_until
from distributary.stack.state import supervisor_pid

LIMIT_S = 60.0
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def distributary(home: Path, servers_cache: Path) -> Iterator[Run]:
    """Runs the command in a home of its own, and stops its servers at the end."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DISTRIBUTARY_")}
    kept |= {"DISTRIBUTARY_HOME": str(home), "DISTRIBUTARY_CACHE": str(servers_cache)}

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("distributary")), *arguments],
            env={**kept, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield run
    assert run("down").returncode == 0


def line(run: Run, name: str) -> dict[str, Any]:
    """One server's line of `status`."""
    result = run("status", "--json")
    assert result.returncode == 0, result.stderr
    (found,) = [entry for entry in json.loads(result.stdout) if entry["name"] == name]
    return dict(found)


def test_up__twice__second_reuses_what_runs_and_adds_what_is_missing(
    distributary: Run, home: Path
) -> None:
    first = distributary("up", "--only", "valkey", "--json")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    pid = line(distributary, "valkey")["pid"]

    second = distributary("up", "--only", "postgres")

    assert second.returncode == 0, second.stderr
    assert line(distributary, "valkey")["pid"] == pid
    assert line(distributary, "postgres")["state"] == "ready"
    endpoints = json.loads((home / "endpoints.json").read_text())
    assert set(endpoints) == {"valkey", "postgres"}
    assert "***" in line(distributary, "postgres")["endpoint"]


def test_down__twice__second_finds_nothing_to_stop(distributary: Run, home: Path) -> None:
    distributary("up", "--only", "valkey")
    pid = line(distributary, "valkey")["pid"]

    first, second = distributary("down", "--json"), distributary("down", "--json")

    assert json.loads(first.stdout) == {"stopped": True}
    assert json.loads(second.stdout) == {"stopped": False}
    assert start_ticks(pid) is None
    assert not (home / "endpoints.json").exists()


def test_up__server_is_killed__comes_back_on_the_same_port(distributary: Run, home: Path) -> None:
    distributary("up", "--only", "valkey")
    before = line(distributary, "valkey")
    os.kill(before["pid"], signal.SIGKILL)

    def is_back() -> bool:
        now = line(distributary, "valkey")
        return bool(now["state"] == "ready" and now["pid"] != before["pid"])

    assert wait_until(is_back, LIMIT_S)
    after = line(distributary, "valkey")
    assert after["endpoint"] == before["endpoint"]
    assert after["restarts"] == 1
    with redis.Redis.from_url(after["endpoint"]) as client:
        assert client.ping()
    assert "valkey: ready" in distributary("logs", "supervisor", "-n", "5").stdout


def test_up__supervisor_is_killed__its_servers_end_and_the_next_up_starts_anew(
    distributary: Run, home: Path
) -> None:
    distributary("up", "--only", "valkey,postgres")
    before = line(distributary, "postgres")
    supervisor = supervisor_pid(home)
    assert supervisor is not None

    os.kill(supervisor, signal.SIGKILL)

    assert wait_until(lambda: start_ticks(before["pid"]) is None, LIMIT_S)
    assert line(distributary, "postgres")["state"] == "stopped"
    again = distributary("up", "--only", "valkey,postgres")
    assert again.returncode == 0, again.stderr
    assert line(distributary, "postgres")["endpoint"] == before["endpoint"]


def test_up__server_cannot_start__gives_up_in_words_with_its_log(
    distributary: Run, home: Path
) -> None:
    (home / "postgres").mkdir(parents=True)  # looks made, but holds no cluster

    result = distributary("up", "--only", "postgres")

    assert result.returncode == ExitCode.GAVE_UP
    assert "postgres does not start" in result.stderr
    assert "postgres.log" in result.stderr
    assert "Traceback" not in result.stderr
    assert line(distributary, "postgres")["state"] == "gave up"


def test_up__given_endpoint_does_not_answer__says_which_variable_to_check(
    distributary: Run,
) -> None:
    result = distributary("up", "--only", "valkey", DISTRIBUTARY_VALKEY="redis://127.0.0.1:1/0")

    assert result.returncode == ExitCode.UNAVAILABLE
    assert "DISTRIBUTARY_VALKEY" in result.stderr


def test_up__given_endpoint_answers__nothing_is_started(
    distributary: Run, home: Path, valkey: str
) -> None:
    result = distributary("up", "--only", "valkey", "--json", DISTRIBUTARY_VALKEY=valkey)

    assert result.returncode == 0, result.stderr
    states = {entry["name"]: entry["state"] for entry in json.loads(result.stdout)}
    assert states["valkey"] == "given"
    assert supervisor_pid(home) is None


def test_up__anvil_stopped_and_started__contract_and_deposits_are_where_they_were(
    distributary: Run, home: Path
) -> None:
    first = distributary("up", "--only", "anvil")
    assert first.returncode == 0, first.stderr
    endpoints = json.loads((home / "endpoints.json").read_text())
    keys.make_account_key(home, "alice")
    made = distributary("deposit", "5", "--json")
    assert made.returncode == 0, made.stderr

    assert distributary("down").returncode == 0
    again = distributary("up", "--only", "anvil")

    assert again.returncode == 0, again.stderr
    assert json.loads((home / "endpoints.json").read_text()) == endpoints
    assert set(endpoints) == {"chain", "chain_id", "contract", "contract_block"}
    shown = json.loads(distributary("balance", "--json").stdout)
    assert shown["deposited_units"] == "5"
    findings = {f["name"]: f for f in json.loads(distributary("doctor", "--json").stdout)}
    assert findings["chain"]["ok"]
    assert endpoints["contract"] in findings["chain"]["text"]


def test_up__anvil_and_postgres__contract_is_recorded_in_both(
    distributary: Run, home: Path
) -> None:
    result = distributary("up", "--only", "anvil,postgres")

    assert result.returncode == 0, result.stderr
    endpoints = json.loads((home / "endpoints.json").read_text())
    with psycopg.connect(endpoints["postgres"]) as connection:
        row = connection.execute("select chain_id, contract from chain_contract").fetchone()
    assert row == (endpoints["chain_id"], endpoints["contract"])
    indexed = distributary("index", "--once", "--json")
    assert indexed.returncode == 0, indexed.stderr


def test_doctor__servers_stopped__names_each_and_exits_with_unavailable(
    distributary: Run,
) -> None:
    result = distributary("doctor", "--json")

    assert result.returncode == ExitCode.UNAVAILABLE
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)}
    for name in ("kafka", "postgres", "valkey", "triton", "triton_trusted", "prism", "chain"):
        assert not findings[name]["ok"]
        assert "distributary up" in findings[name]["advice"]


def test_doctor__postgres_runs__is_said_to_work(distributary: Run) -> None:
    distributary("up", "--only", "postgres")

    findings = {f["name"]: f for f in json.loads(distributary("doctor", "--json").stdout)}

    assert findings["postgres"]["ok"]
    assert findings["postgres"]["text"].startswith("PostgreSQL 18, schema at revision")
