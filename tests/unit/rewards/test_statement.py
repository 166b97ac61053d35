"""Statement and funds: exact, complete, and the same in every form."""

import csv
import json
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from distributary.attribution.weights import WHOLE
from distributary.cli.main import app
from distributary.errors import InputError
from distributary.rewards.contributions import contributions, funded_rows
from distributary.rewards.funds import (
    claims_that_paid,
    earned_leaves,
    find_charge,
    funds_of_payee,
    funds_of_request,
)
from distributary.rewards.inputs import AccountFunds, Inputs
from distributary.rewards.opened import ComputedPosting, compute_opened
from distributary.rewards.outputs import write_outputs
from distributary.rewards.page import make_page
from distributary.rewards.statement import Entry, decimal, make_statement
from tests.postings import address, carried_table, charged, hash_of, write_epoch, write_posting

PAYER, AUTHOR = address(1), address(11)
FIRST, SECOND = hash_of("first"), hash_of("second")


@pytest.fixture
def opened(tmp_path: Path) -> ComputedPosting:
    rows = [
        charged("a", PAYER, 7, datanet="net", weights={FIRST: WHOLE // 3, SECOND: WHOLE // 3}),
        charged("b", PAYER, 10, datanet="<net&>", weights={FIRST: WHOLE}),
        charged("c", PAYER, 3, commons=None, documents=None) | {"weights": None},
        charged("d", PAYER, 10**6),
    ]
    inputs = Inputs(
        accounts={PAYER: AccountFunds(1_000, 0)},
        assets={("data", FIRST): "author", ("data", SECOND): "<b>other</b>"},
        bindings={"author": AUTHOR},
        carried=carried_table([(0, charged("old", PAYER, 11, weights={SECOND: WHOLE}))]),
    )
    manifest = write_posting(tmp_path, [write_epoch(tmp_path, 1, [rows])], inputs)
    found = compute_opened(tmp_path, manifest)
    write_outputs(tmp_path / manifest.folder, found.computed)
    return found


def test_contributions__of_every_request__sum_to_its_charge_and_to_the_lines(
    opened: ComputedPosting,
) -> None:
    paid, lines = opened.paid_lines, {}
    seen = 0
    for row in funded_rows(opened.posting, opened.funding.placement):
        given = [each for each in contributions(opened.posting, row) if each.weight]
        assert sum(each.units for each in given) == row.units
        for each in given:
            lines[each.key] = lines.get(each.key, Fraction(0)) + paid.paid(each)
        seen += 1
    assert seen == 4
    assert {k: v for k, v in lines.items() if v} == {
        (line.role, line.asset): line.units for line in opened.computed.lines
    }


def test_funds_of_request__a_funded_one__names_every_line(opened: ComputedPosting) -> None:
    found = funds_of_request(opened, hash_of("a"))
    assert found["state"] == "funded"
    assert sum(Fraction(line["units"]) for line in found["lines"]) == 7
    first = next(line for line in found["lines"] if line["asset"] == FIRST)
    # Half of 7 units to data, a third of that to this document, in 10^9 parts.
    assert first["units"] == str(Fraction(7, 2) * Fraction(WHOLE // 3, WHOLE))
    assert (first["payee"], first["owner"]) == (AUTHOR, "author")


def test_funds_of_request__a_carried_one__has_no_lines_and_a_reason(
    opened: ComputedPosting,
) -> None:
    found = funds_of_request(opened, hash_of("d"))
    assert (found["state"], found["reason"], found["lines"]) == (
        "carried",
        "insufficient_credit",
        [],
    )


def test_funds__never_charged__is_not_settled(opened: ComputedPosting, tmp_path: Path) -> None:
    for look in (
        lambda: funds_of_request(opened, "0" * 64),
        lambda: find_charge(tmp_path, "0" * 64),
    ):
        with pytest.raises(InputError) as raised:
            look()
        assert raised.value.code == "not_settled"


@pytest.mark.parametrize("most", [1, 20])
def test_funds_of_payee__all_requests__sum_to_the_lines(opened: ComputedPosting, most: int) -> None:
    found = funds_of_payee(opened, AUTHOR, most)
    named = sum(Fraction(each["units"]) for each in found["from"])
    assert named + Fraction(found["others_units"]) == int(found["units"]) > 0
    assert found["requests"] == 2
    assert found["from"][0]["request_hash"] == hash_of("b")


def test_claims_that_paid__several__is_the_first_that_covers_the_leaf(
    opened: ComputedPosting,
) -> None:
    leaves = earned_leaves(opened, [AUTHOR, address(99)])
    assert list(leaves) == [AUTHOR]
    claims = [
        {"payee": AUTHOR, "cumulative_units": leaves[AUTHOR] + step, "transaction": str(step)}
        for step in (-1, 0, 1)
    ]
    assert claims_that_paid(leaves, claims) == [claims[1]]
    assert claims_that_paid(leaves, claims[:1]) == []


def test_statement__every_section__sums_to_what_it_divides(opened: ComputedPosting) -> None:
    made = make_statement(opened, 1)
    sums = {
        name: sum(e.units for e in made.section(name))
        for name in ("role", "payee", "charges", "datanet", "contributor")
    }
    assert made.pool_units == sums["role"] == sums["payee"] == 31
    assert sums["charges"] == 31 + 10**6
    data = next(e.units for e in made.section("role") if e.name == "data")
    assert sums["contributor"] == data
    assert abs(sums["datanet"] - data) < 3  # before rounding
    assert [e.name for e in made.section("charges")] == ["carried: insufficient_credit", "funded"]


class Page(HTMLParser):
    """Collects what a page would load, and its plots."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]


def test_make_page__names_with_markup__are_escaped_and_nothing_is_loaded(
    opened: ComputedPosting,
) -> None:
    text = make_page(make_statement(opened, 1))
    page = Page()
    page.feed(text)
    assert page.loads == []
    assert page.tags.count("svg") == 7
    assert "<b>other</b>" not in text
    assert "&lt;net&amp;&gt;" in text
    assert "script" not in page.tags


def test_command_statement__in_every_form__has_the_same_entries(
    opened: ComputedPosting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTRIBUTARY_LAKE", str(tmp_path))
    files = {name: tmp_path / f"s.{name}" for name in ("csv", "parquet", "html")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    shown = CliRunner().invoke(app, ["statement", "1", "--json", *options])
    assert shown.exception is None, shown.exception
    entries = json.loads(shown.stdout)["entries"]
    assert pq.read_table(files["parquet"]).to_pylist() == entries
    with files["csv"].open() as file:
        assert [row["units"] for row in csv.DictReader(file)] == [e["units"] for e in entries]
    assert CliRunner().invoke(app, ["statement", "1"]).exit_code == 0


def test_command_funds__of_a_request_and_a_payee__answers(
    opened: ComputedPosting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTRIBUTARY_LAKE", str(tmp_path))
    monkeypatch.setenv("DISTRIBUTARY_HOME", str(tmp_path / "home"))
    run = CliRunner().invoke
    found = json.loads(run(app, ["funds", "0x" + hash_of("b"), "--json"]).stdout)
    assert (found["state"], found["claims"]) == ("funded", None)
    assert json.loads(run(app, ["funds", "--payee", AUTHOR, "--json"]).stdout)["units"] != "0"
    assert run(app, ["funds", hash_of("a")]).exit_code == 0
    assert run(app, ["funds", "--payee", AUTHOR]).exit_code == 0
    assert isinstance(run(app, ["funds"]).exception, InputError)


@pytest.mark.parametrize(
    ("units", "text"),
    [(Fraction(5), "5"), (Fraction(1, 2), "0.5"), (Fraction(1, 10**13), "0." + "0" * 12 + "1")],
)
def test_decimal__parts_of_a_unit__are_written_exactly(units: Fraction, text: str) -> None:
    assert decimal(units) == text
    assert Entry("role", "node", units, 1).units == units
