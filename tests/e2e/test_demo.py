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
def test_demo__run_twice__answers_are_charged_once_and_their_data_is_paid(home: Path) -> None:
    first = run(home, "demo", "--json", *QUESTIONS)
    assert first.returncode == 0, first.stderr[-2000:]
    rows = json.loads(first.stdout)
    assert [row["question"] for row in rows] == list(QUESTIONS)
    for row in rows:
        assert row["answer"]
        assert int(row["charge_units"]) > 0
        weights = [earning["weight"] for earning in row["earnings"]]
        assert sum(weights) + row["commons"] == BILLION

    # The second run finds servers, datanet and account, and buys anew.
    second = run(home, "demo", "--json", QUESTIONS[0])
    assert second.returncode == 0, second.stderr[-2000:]
    (again,) = json.loads(second.stdout)
    assert again["answer"] == rows[0]["answer"]
    assert again["request_hash"] != rows[0]["request_hash"]
    assert again["earnings"] == rows[0]["earnings"]

    traced = run(home, "trace", rows[0]["request_hash"], "--json")
    assert traced.returncode == 0, traced.stderr[-2000:]
    (entry,) = json.loads(traced.stdout)
    assert entry["outcome"] == "charged"
    assert Path(entry["file"]["path"]).exists()

    closed = run(home, "epoch", "close", "--json")
    assert closed.returncode == 0, closed.stderr[-2000:]
