"""The catalogue of prices and splits: by instant, by stamp, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from distributary.canonical import sha256_hex
from distributary.errors import InputError
from distributary.rules import ROLES, Catalogue, Price, load_catalogue, read_rule

SPLIT = {"node": 2500, "data": 4000, "model": 1500, "adapter": 500, "agent": 500, "platform": 1000}


def prices(valid_from_ms: int = 0, prompt: Any = "10", answer: Any = "30") -> bytes:
    price = {"prompt_units_per_1000": prompt, "answer_units_per_1000": answer}
    return json.dumps(
        {"kind": "prices", "valid_from_ms": valid_from_ms, "models": {"m": price}}
    ).encode()


def split(**changes: int) -> bytes:
    return json.dumps(
        {"kind": "splits", "valid_from_ms": 0, "basis_points": SPLIT | changes}
    ).encode()


@pytest.mark.parametrize(
    ("prompt_tokens", "answer_tokens", "units"),
    [(0, 0, 0), (1, 0, 1), (100, 0, 1), (101, 0, 2), (99, 1, 2), (1000, 1000, 40), (50, 50, 2)],
)
def test_charge_units__of_both_counts__is_one_ceiling_over_the_sum(
    prompt_tokens: int, answer_tokens: int, units: int
) -> None:
    assert Price(10, 30).charge_units(prompt_tokens, answer_tokens) == units


def test_in_force__at_an_instant__is_the_rule_that_began_last() -> None:
    early, late = read_rule("prices", prices(100)), read_rule("prices", prices(200, "11"))
    catalogue = Catalogue([late, early])
    assert catalogue.in_force(99) is None
    assert catalogue.in_force(100) is early
    assert catalogue.in_force(199) is early
    assert catalogue.in_force(200) is late
    assert catalogue.by_hash(sha256_hex(prices(200, "11"))) is late
    assert catalogue.by_hash("0" * 64) is None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("prices", split()),
        ("splits", prices()),
        ("prices", prices(-1)),
        ("prices", prices(prompt="-1")),
        ("prices", prices(prompt="1_000")),
        ("prices", prices(answer=5)),
        ("prices", prices(answer=0.5)),
        ("prices", prices(answer="0.5")),
        ("prices", b"[]"),
        ("prices", b"{}"),
        ("prices", b"not JSON"),
        ("splits", split(node=2499)),
        ("splits", split(node=-2500, data=9000)),
        ("splits", split(bribe=0)),
        ("splits", json.dumps({"kind": "splits", "valid_from_ms": 0}).encode()),
    ],
)
def test_read_rule__not_a_valid_rule__is_refused(kind: str, data: bytes) -> None:
    with pytest.raises(InputError):
        read_rule(kind, data)


def test_load_catalogue__two_files_of_one_instant__is_refused(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "1.json").write_bytes(prices(5))
    (tmp_path / "prices" / "2.json").write_bytes(prices(5, "11"))
    with pytest.raises(InputError, match="same instant"):
        load_catalogue("prices", tmp_path)


def test_load_catalogue__the_projects_own__has_the_stated_default_split() -> None:
    rule = load_catalogue("splits").in_force(0)
    assert rule is not None
    assert rule.content == SPLIT
    assert set(rule.content) == set(ROLES)
