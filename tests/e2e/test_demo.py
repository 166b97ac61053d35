"""The demo as a newcomer runs it: the same command, a home of its own, every server real."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BILLION = 1_000_000_000
QUESTIONS = ("What is psycopg?", "What is Alembic used for?")


def run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DISTRIBUTARY_")}
    return subprocess.run(
        [sys.executable, "-m", "distributary", *arguments],
        env=environment | {"DISTRIBUTARY_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("demo")
    yield folder
    run(folder, "down")


@pytest.mark.timeout(900)
def test_demo__run_twice__answers_are_charged_once_and_the_money_reaches_its_end(
    home: Path,
) -> None:
    first = run(home, "demo", "--json", *QUESTIONS)
    assert first.returncode == 0, first.stderr[-2000:]
    shown = json.loads(first.stdout)
    rows = shown["answers"]
    assert [row["question"] for row in rows[:-1]] == list(QUESTIONS)
    for row in rows:
        assert row["answer"]
        assert int(row["charge_units"]) > 0
        weights = [earning["weight"] for earning in row["earnings"]]
        assert sum(weights) + row["commons"] == BILLION
    guest = rows[-1]
    claimed, withdrawn = check_money(shown["money"])
    # The guest takes all that its one answer did not cost; the author's part is of the first one.
    assert withdrawn == 10 * 10**18 - int(guest["charge_units"])
    assert 0 < claimed < sum(int(row["charge_units"]) for row in rows)

    # Where did the first request's money go: down to the claim's transaction.
    funds = run(home, "funds", rows[0]["request_hash"], "--json")
    assert funds.returncode == 0, funds.stderr[-2000:]
    found = json.loads(funds.stdout)
    assert [each["transaction"] for each in found["claims"]] == [
        moved["transaction"]
        for moved in shown["money"]["moved"]
        if moved["what"] == "a contributor claimed"
    ]
    (paid,) = [line for line in found["lines"] if line["payee"].startswith("0x")]
    assert int(paid["line_units"]) == claimed

    # The second run finds servers, datanet and account, and buys anew.
    second = run(home, "demo", "--json", QUESTIONS[0])
    assert second.returncode == 0, second.stderr[-2000:]
    shown = json.loads(second.stdout)
    again = shown["answers"][0]
    assert again["answer"] == rows[0]["answer"]
    assert again["request_hash"] != rows[0]["request_hash"]
    assert again["earnings"] == rows[0]["earnings"]
    assert check_money(shown["money"])[0] > 0

    traced = run(home, "trace", rows[0]["request_hash"], "--json")
    assert traced.returncode == 0, traced.stderr[-2000:]
    (entry,) = json.loads(traced.stdout)
    assert entry["outcome"] == "charged"
    assert Path(entry["file"]["path"]).exists()


def check_money(money: dict[str, Any]) -> tuple[int, int]:
    """Checks a run's money against the chain; returns the units claimed and withdrawn."""
    assert money["figures_that_agree"] > 0
    assert money["checks_that_hold"] > 0
    statement = Path(money["statement"]).read_text()
    assert money["root"] in statement
    units = {moved["what"]: int(moved["units"]) for moved in money["moved"]}
    return units["a contributor claimed"], units["the guest withdrew"]
