"""The checks of rows by columns: whatever they pass, the checks one by one pass as well."""

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from distributary.attribution.weights import WHOLE
from distributary.identity import Identity
from distributary.lake.schema import ANSWERS
from distributary.requests import request_hash
from distributary.rewards.row_checks import COLUMNS, RowChecker
from distributary.rewards.row_screen import RowScreen
from distributary.rules import load_catalogue
from tests.postings import address, charged, hash_of
from tests.signed_answers import ADMITTED_AT_MS, DOMAIN, MODEL, charge_units

PRICES, SPLITS = load_catalogue("prices"), load_catalogue("splits")
SCREEN = RowScreen(DOMAIN, PRICES, SPLITS)
CHECKER = RowChecker(DOMAIN, PRICES, SPLITS)
SCHEMA = pa.schema([ANSWERS.field(name) for name in COLUMNS])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ODD_UNITS = ["0", "00", "007", "+5", "-1", " 5", "1_0", "1e3", "1.0", "٣", "", "many", "9" * 38]
ODD_UNITS += ["9" * 39, "1" + "0" * 80, "None"]
ODD_NUMBERS = [None, 0, 1, -1, 999, ADMITTED_AT_MS, ADMITTED_AT_MS // 1000, 2**53, 2**63 - 1]
ODD: dict[str, list[Any]] = {
    "account": [None, "None", address(2)],
    "source": [None, "None", "", 'a"b', "\\", "\x00", "\u2028"],
    "id": [None, "None", '","id":"1', "\x1f", "\x7f", "é"],
    "body_hash": [None, "0" * 64],
    "request_hash": [None, "0" * 64],
    "max_charge_units": [None, *ODD_UNITS],
    "charge_units": ODD_UNITS,
    "stated_charge_units": [None, *ODD_UNITS],
    "expires_at": ODD_NUMBERS,
    "admitted_at_ms": ODD_NUMBERS,
    "prompt_tokens": ODD_NUMBERS,
    "answer_tokens": ODD_NUMBERS,
    "model": [None, "dear"],
    "price_hash": [None, "0" * 64],
    "split_hash": [None, "0" * 64],
    "commons": [None, 0, -1, WHOLE, 2**63 - 1],
    "weights": [None, [], [0], [-1, WHOLE + 1], [WHOLE], [2**63 - 1, 2**63 - 1, WHOLE + 2]],
}


def signed(source: str, id_: str, prompt: int, answer: int) -> dict[str, Any]:
    """A charged row that holds."""
    units = charge_units(prompt, answer)
    row = charged(id_, address(1), units, weights={hash_of("document"): 5})
    row |= {"source": source, "body_hash": "b" * 64, "model": MODEL}
    row |= {"prompt_tokens": prompt, "answer_tokens": answer}
    price = PRICES.in_force(ADMITTED_AT_MS)
    assert price is not None
    return hashed(row | {"price_hash": price.hash})


def hashed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the hash of what it says, as a liar would make it."""
    identity = Identity(row["account"], row["source"], row["id"])
    signed_ = (row["body_hash"], row["max_charge_units"], row["expires_at"])
    return row | {"request_hash": request_hash(DOMAIN, identity, *signed_)}


@st.composite
def honest(draw: st.DrawFn) -> dict[str, Any]:
    tokens = st.integers(0, 10**6)
    return signed(draw(TEXTS), draw(TEXTS), draw(tokens), draw(tokens))


@st.composite
def odd(draw: st.DrawFn) -> dict[str, Any]:
    """A row with a few odd fields, hashed again or not."""
    row = draw(honest())
    for name in draw(st.lists(st.sampled_from(sorted(ODD)), min_size=1, max_size=3)):
        row[name] = draw(st.sampled_from(ODD[name]))
    if draw(st.booleans()):
        units = charge_units(row["prompt_tokens"] or 0, row["answer_tokens"] or 0)
        units += draw(st.sampled_from([-1, 0, 1]))
        row |= {"charge_units": str(units), "stated_charge_units": str(units)}
        row["max_charge_units"] = "1" + "0" * 30
    if draw(st.booleans()) and abs(row["expires_at"] or 0) < 2**53:
        row = hashed(row)
    return row


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([{name: row[name] for name in COLUMNS} for row in rows], SCHEMA)


@given(st.lists(honest(), min_size=1, max_size=5))
def test_screen__rows_that_hold__passes_them_all(rows: list[dict[str, Any]]) -> None:
    assert SCREEN.passes(table_of(rows)).to_pylist() == [True] * len(rows)


@settings(max_examples=300)
@given(st.lists(odd() | honest(), min_size=1, max_size=5))
def test_screen__any_rows__passes_none_that_fails_one_by_one(rows: list[dict[str, Any]]) -> None:
    table = table_of(rows)
    passed = table.filter(SCREEN.passes(table)).combine_chunks()
    assert CHECKER.check(passed).failed == {}


def test_screen__weights_that_wrap_around__does_not_pass_nor_do_they_one_by_one() -> None:
    row = signed("source", "id", 1, 1) | {"weights": ODD["weights"][-1], "commons": 0}
    table = table_of([row])
    assert sum(row["weights"]) % 2**64 == WHOLE
    assert SCREEN.passes(table).to_pylist() == [False]
    assert set(CHECKER.check(table).failed) == {"weights"}
