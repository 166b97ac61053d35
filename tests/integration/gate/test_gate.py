"""The gate with Great Expectations itself: what passes, what stops, and that doubt stops."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from distributary.rewards.funding import Charge, State
from distributary.rewards.inputs import AccountFunds, Inputs
from distributary.rewards.leaves import Leaf
from distributary.rewards.lines import Line
from orchestration.gate import validating
from orchestration.gate.evidence import Evidence, FileHash, Records
from orchestration.gate.frames import COLUMNS, make_frames
from orchestration.gate.validating import validate
from orchestration.settlement.postings import Posted

PAYER, PAYEE = "0x" + "a" * 40, "0x" + "b" * 40


def evidence(**changes: object) -> Evidence:
    """A posting of one epoch in which one charge of 100 paid one payee and the platform."""
    posted = Posted(
        posting_id=1,
        from_epoch=4,
        to_epoch=4,
        attempt=1,
        state="computed",
        parent_root=bytes(32),
        root=b"\1" * 32,
        earned_total_units=90,
        charged_total_units=100,
        pinned_block=9,
        settlement_hash=bytes(32),
        leaves=2,
    )
    given = {
        "posted": posted,
        "manifest": None,
        "inputs": Inputs(accounts={PAYER: AccountFunds(500, 0)}),
        "lines": [
            Line(4, "model", "m", "o", PAYEE, 90, None),
            Line(4, "platform", "platform", "", "platform", 10, None),
        ],
        "leaves": [Leaf(0, PAYEE, 90), Leaf(1, PAYER, 100)],
        "charges": [Charge(4, "ab" * 32, PAYER, 100, State.FUNDED, None)],
        "funded_before": frozenset(),
        "ledger_accounts": frozenset({"platform", "commons", "unclaimed"}),
        "records": [Records(4, 3, 3, 3, 100, 0, 0)],
        "trailing_units": [100, 100, 100],
        "released": frozenset(),
        "files": [FileHash("a.parquet", "11", "11")],
        "tests": {"unique_leaf": "pass"},
    }
    return Evidence(**(given | changes))  # type: ignore[arg-type]


def verdict(tmp_path: Path, **changes: object) -> validating.Verdict:
    return validate(1, make_frames(evidence(**changes), 10), tmp_path)


def failed(found: validating.Verdict) -> set[str]:
    return {each.suite for each in found.failures}


def test_gate__a_right_posting__passes_and_builds_data_docs(tmp_path):
    found = verdict(tmp_path)
    assert found.failures == []
    assert found.verdict == "passed"
    assert {each.suite for each in found.checks} == set(COLUMNS)
    assert Path(found.docs.removeprefix("file://")).exists()
    json.dumps(found.described())


def test_gate__an_empty_epoch__passes(tmp_path):
    changes = {
        "lines": [],
        "charges": [],
        "leaves": [Leaf(1, PAYER, 0)],
        "records": [Records(4, 0, 0, 0, 0, 0, 0)],
        "posted": replace(evidence().posted, earned_total_units=0, charged_total_units=0),
    }
    assert verdict(tmp_path, **changes).verdict == "passed"


WRONG = {
    "a line too much": (
        {"lines": [*evidence().lines, Line(4, "node", "n", "", PAYEE, 1, None)]},
        "conservation",
    ),
    "records lost": ({"records": [Records(4, 4, 3, 3, 100, 0, 0)]}, "conservation"),
    "records of elsewhere": ({"records": [Records(4, 3, 3, 3, 100, 2, 0)]}, "conservation"),
    "offsets left out": ({"records": [Records(4, 3, 3, 3, 100, 0, 1)]}, "conservation"),
    "charged above credit": (
        {"inputs": Inputs(accounts={PAYER: AccountFunds(99, 0)})},
        "conservation",
    ),
    "a leaf that shrinks": (
        {"inputs": Inputs(accounts={PAYER: AccountFunds(500, 0)}, active_leaves={(0, PAYEE): 91})},
        "leaves",
    ),
    "a leaf left out": (
        {
            "inputs": Inputs(
                accounts={PAYER: AccountFunds(500, 0)}, active_leaves={(0, "0x" + "c" * 40): 1}
            )
        },
        "leaves",
    ),
    "a leaf twice": ({"leaves": [*evidence().leaves, Leaf(0, PAYEE, 90)]}, "leaves"),
    "a leaf without an address": ({"leaves": [*evidence().leaves, Leaf(0, "nobody", 0)]}, "leaves"),
    "no leaf at all": ({"leaves": []}, "leaves"),
    "a line to nobody": ({"lines": [Line(4, "model", "m", "o", "nobody", 100, None)]}, "lines"),
    "a request twice": ({"charges": evidence().charges * 2}, "charges"),
    "a request of before": ({"funded_before": frozenset({"ab" * 32})}, "charges"),
    "a file altered": ({"files": [FileHash("a.parquet", "11", "12")]}, "files"),
    "no file named": ({"files": []}, "files"),
    "a red test of dbt": ({"tests": {"unique_leaf": "fail"}}, "dbt"),
    "no test of dbt": ({"tests": {}}, "dbt"),
}


@pytest.mark.parametrize("name", WRONG)
def test_gate__something_wrong__fails_in_its_suite(tmp_path, name):
    changes, suite = WRONG[name]
    found = verdict(tmp_path, **changes)
    assert found.verdict == "failed"
    assert suite in failed(found)


def test_gate__epoch_far_above_the_median__is_held_by_number_until_released(tmp_path):
    found = verdict(tmp_path, trailing_units=[9, 9, 9])
    assert (found.verdict, found.held) == ("held", (4,))
    let_go = verdict(tmp_path, trailing_units=[9, 9, 9], released=frozenset({4}))
    assert let_go.verdict == "passed"


def test_gate__few_epochs_before__has_no_usual_size(tmp_path):
    assert verdict(tmp_path, trailing_units=[1, 1]).verdict == "passed"


def test_gate__a_warning__is_reported_and_passes(tmp_path):
    found = verdict(tmp_path, tests={"unique_leaf": "warn"})
    assert found.verdict == "passed"
    assert [each.suite for each in found.checks if not each.passed] == ["dbt"]


def test_gate__an_empty_suite__fails(tmp_path, monkeypatch):
    copy = tmp_path / "context"
    shutil.copytree(validating.CONTEXT, copy)
    suite = copy / "expectations" / "leaves.json"
    suite.write_text(json.dumps(json.loads(suite.read_text()) | {"expectations": []}))
    monkeypatch.setattr(validating, "CONTEXT", copy)
    found = verdict(tmp_path / "home")
    assert found.verdict == "failed"
    assert failed(found) == {"leaves"}


def test_gate__a_missing_suite__fails(tmp_path, monkeypatch):
    copy = tmp_path / "context"
    shutil.copytree(validating.CONTEXT, copy)
    (copy / "expectations" / "files.json").unlink()
    monkeypatch.setattr(validating, "CONTEXT", copy)
    assert verdict(tmp_path / "home").verdict == "failed"


def test_gate__its_library_raises__fails(tmp_path, monkeypatch):
    def raises(_home: Path) -> None:
        raise RuntimeError("no context")

    monkeypatch.setattr(validating, "_context", raises)
    found = verdict(tmp_path)
    assert found.verdict == "failed"
    assert "no context" in found.failures[0].found


def test_gate__a_column_that_is_missing__fails(tmp_path):
    frames = make_frames(evidence(), 10)
    frames["files"] = [{"name": "a.parquet"}]
    assert validate(1, frames, tmp_path).verdict == "failed"
