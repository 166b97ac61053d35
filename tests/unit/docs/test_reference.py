"""docs/reference.md names everything that the code has, and nothing that it has not."""

import importlib
import re
from pathlib import Path

import pytest

from distributary import publisher
from distributary.answers import Refusal, Status
from distributary.errors import ExitCode
from distributary.events import Event, write_headers
from distributary.models import MODELS
from distributary.recording.records import SetAside, Uncharged
from distributary.rules import load_catalogue
from distributary.settings import PREFIX
from distributary.store import epochs, fence, shingles
from distributary.supervise import FINAL
from docs.generate import TABLES, rewrite
from orchestration.chain.rows import INDEXER_LOCK
from orchestration.settlement.rows import SETTLER_LOCK
from tests.unit.docs.reading import (
    CODES_NOT_LITERAL,
    DECODING,
    REFERENCE,
    ROOT,
    error_codes,
    names,
    rows,
    section,
    source_files,
    sql_names,
)

# Made by others than our migrations.
TABLES_OF_OTHERS = {"alembic_version"}
VARIABLES_OF_OTHERS = {"XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES"}


def test_generated_tables__written_again__are_the_same() -> None:
    assert rewrite(REFERENCE, {name: make() for name, make in TABLES.items()}) == REFERENCE, (
        "Run `python -m docs.generate`."
    )


@pytest.mark.parametrize("text", ["", "<!-- begin a -->\n\n<!-- end a -->\n" * 2])
def test_rewrite__no_single_place_for_a_table__raises(text: str) -> None:
    with pytest.raises(ValueError, match="one place for the table a"):
        rewrite(text, {"a": "new"})


def test_rewrite__an_old_table__is_replaced() -> None:
    assert rewrite("x\n<!-- begin a -->\nold\n<!-- end a -->\n", {"a": "n|w"}) == (
        "x\n<!-- begin a -->\nn|w\n<!-- end a -->\n"
    )


def test_environment_variables__of_the_code__are_in_the_reference_and_no_others() -> None:
    text = "\n".join(path.read_text() for path in source_files())
    used = set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]\b", text))
    given = {name.strip("`") for name in re.findall(rf"`{PREFIX}[A-Z_]+`", section("Settings"))}
    others = set(names("Other environment variables", "variable"))
    assert used - given - others == set()
    assert others - VARIABLES_OF_OTHERS - used == set()


def test_exit_codes__of_the_code__are_those_of_the_reference() -> None:
    described = rows("Exit codes", "code")
    assert [(int(code), name.strip("`")) for code, name, *_ in described] == [
        (code.value, code.name) for code in ExitCode
    ]
    assert [int(row[0]) for row in described if row[3] == "no"] == [int(code) for code in FINAL]


def test_headers__that_we_write__are_those_of_the_reference() -> None:
    event = Event("1", "a", "ai.distributary.answer.v1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    written = [name for name, _ in write_headers(event, "a", 1_790_000_000_000)]
    assert sorted(written) == sorted(names("Headers", "header"))


def test_statuses_and_codes__of_the_enumerations__are_those_of_the_reference() -> None:
    assert names("Answers", "status") == [status.value for status in Status]
    assert sorted(names("Refusal codes", "code")) == sorted(Refusal)
    assert names("Why an answer is not charged", "reason") == [each.value for each in Uncharged]
    assert sorted(names("Quarantine", "reason")) == sorted(each.value for each in SetAside)


def test_dead_letter_codes__of_decoding__are_those_of_the_reference() -> None:
    raised = set().union(
        *(error_codes(ROOT / "distributary" / f"{module}.py") for module in DECODING)
    )
    assert raised == set(names("Dead-letter codes", "code"))


def test_error_codes__of_the_code__are_in_the_reference_and_no_others() -> None:
    raised = CODES_NOT_LITERAL.union(*map(error_codes, source_files()))
    errors = set(names("Error codes", "code"))
    elsewhere = {*names("Refusal codes", "code"), *names("Dead-letter codes", "code")}
    assert raised - errors - elsewhere == set()
    assert errors - raised == set()


def test_error_codes__listed__are_in_order_and_once() -> None:
    listed = names("Error codes", "code")
    assert listed == sorted(set(listed))


def test_tables__of_the_migrations__are_those_of_the_reference() -> None:
    made = {name for name in sql_names("table") if not re.fullmatch(r"purchases_.*", name)}
    assert made == set(names("Tables of Postgres", "table"))
    text = section("Tables of Postgres")
    for view in sql_names("view"):
        assert f"`{view}`" in text
    named = set(re.findall(r"\| `(distributary_\w+)` \|", text))
    folder = "distributary.store.migrations.versions"
    migrations = [
        importlib.import_module(f"{folder}.{name}")
        for name in ("0003_events", "0004_chain", "0005_settlement_inputs", "0006_settlement")
    ]
    assert named == {role for migration in migrations for role in migration.ROLES}


def test_advisory_locks__of_the_code__differ_and_are_those_of_the_reference() -> None:
    migrations = (ROOT / "distributary/store/migrations/env.py").read_text()
    migration = int(re.findall(r"MIGRATION_LOCK = ([\d_]+)", migrations)[0])
    used = [migration, fence.EPOCH_FENCE, epochs.CLOSING_LOCK, publisher.PUBLISHER_LOCK]
    used += [INDEXER_LOCK, SETTLER_LOCK, shingles.REGISTRY_LOCK]
    assert used == [int(name) for name in names("Tables of Postgres", "number")]
    assert len(set(used)) == len(used)


def test_models__served__are_those_of_the_reference() -> None:
    described = [
        (name.strip("`"), triton.strip("`"), int(context.replace(",", "")), int(longest))
        for name, triton, context, longest, _ in rows("Triton models", "public name")
    ]
    assert described == [
        (m.name, m.triton_model, m.context_tokens, m.answer_tokens_max) for m in MODELS.values()
    ]


def test_rules__in_force_now__are_those_of_the_reference() -> None:
    newest = 2**62
    prices, split = load_catalogue("prices"), load_catalogue("splits")
    price, shares = prices.in_force(newest), split.in_force(newest)
    assert price is not None
    assert shares is not None
    assert {
        name.strip("`"): (int(prompt), int(answer))
        for name, prompt, answer in rows("Rules", "model")
    } == {
        name: (each.prompt_units_per_1000, each.answer_units_per_1000)
        for name, each in price.content.items()
    }
    assert {row[0].strip("`"): int(row[1]) for row in rows("Rules", "role")} == shares.content


@pytest.mark.parametrize("row", rows("Limits", "constant"), ids=lambda row: row[0].strip("`"))
def test_limit__in_the_reference__has_the_value_that_it_has_in_the_code(row: list[str]) -> None:
    module, _, name = row[0].strip("`").rpartition(".")
    assert str(getattr(importlib.import_module(module), name)) == row[1]


def test_schemas_and_files__named_in_the_reference__exist() -> None:
    for path in re.findall(r"`((?:distributary|triton_models|docs)/[\w./-]+)`", REFERENCE):
        assert (ROOT / Path(path)).exists(), path
