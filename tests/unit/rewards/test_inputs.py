"""Input files and settlement manifest: the same content, the same bytes; others are refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from distributary.canonical import canonical_json
from distributary.errors import DistributaryError, InputError
from distributary.rewards.inputs import (
    SCHEMAS,
    AccountFunds,
    Correction,
    Inputs,
    read_inputs,
    rows_table,
    write_inputs,
    write_table,
)
from distributary.rewards.manifest import (
    INPUT_NAMES,
    NAME,
    PostedEpoch,
    SettlementManifest,
    load_manifest,
    posting_folder,
    read_manifest,
    write_manifest,
)
from tests.postings import address, carried_table, charged, write_epoch, write_posting

ALICE, BOB = address(1), address(2)
FULL: dict[str, Any] = {
    "accounts": {BOB: AccountFunds(2**255, 1, 7), ALICE: AccountFunds(5, 0)},
    "bindings": {"zoë": ALICE, "ann": BOB},
    "assets": {("node", "n"): "ann", ("data", "d" * 64): "zoë"},
    "active_leaves": {(1, ALICE): 3, (0, BOB): 4},
    "carried": carried_table([(2, charged("b", ALICE, 1)), (1, charged("a", ALICE, 1))]),
    "unclaimed": {"zoë": 3, "": 2},
    "corrections": [Correction(1, "refund", "e" * 64, ALICE, "insurance", 5, "late")],
}


def test_inputs__written_in_any_order__read_the_same_and_have_the_same_bytes(
    tmp_path: Path,
) -> None:
    files = write_inputs(tmp_path / "1", Inputs(**FULL))
    turned = {
        name: dict(reversed(each.items())) if isinstance(each, dict) else each
        for name, each in FULL.items()
    }
    turned["carried"] = FULL["carried"].take([1, 0])
    assert write_inputs(tmp_path / "2", Inputs(**turned)) == files
    assert tuple(file.name for file in files) == INPUT_NAMES
    read = read_inputs(tmp_path / "1", files)
    assert read.carried["epoch"].to_pylist() == [1, 2]
    assert {**vars(read), "carried": 0} == {**FULL, "carried": 0}


def rows_of(name: str, *rows: tuple[Any, ...]) -> pa.Table:
    return rows_table(SCHEMAS[name], rows)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        (
            "accounts.parquet",
            rows_of("accounts.parquet", (BOB, "1", "0", None), (ALICE, "1", "0", None)),
        ),
        ("accounts.parquet", rows_of("accounts.parquet", *[(ALICE, "1", "0", None)] * 2)),
        ("accounts.parquet", rows_of("accounts.parquet", (ALICE, "01", "0", None))),
        ("accounts.parquet", rows_of("accounts.parquet", (ALICE, "-1", "0", None))),
        ("accounts.parquet", rows_of("accounts.parquet", (ALICE, str(2**256), "0", None))),
        ("accounts.parquet", rows_of("accounts.parquet", (ALICE, "1", None, None))),
        ("accounts.parquet", rows_of("accounts.parquet", (ALICE, "1", "0", -1))),
        ("accounts.parquet", rows_of("accounts.parquet", ("0x1", "1", "0", None))),
        ("accounts.parquet", rows_of("unclaimed.parquet", ("a", "1"))),
        ("bindings.parquet", rows_of("bindings.parquet", ("", ALICE))),
        ("bindings.parquet", rows_of("bindings.parquet", ("ann", "unclaimed"))),
        ("assets.parquet", rows_of("assets.parquet", ("platform", "platform", "ann"))),
        ("assets.parquet", rows_of("assets.parquet", ("node", "n", ""))),
        ("active_leaves.parquet", rows_of("active_leaves.parquet", (2, ALICE, "1"))),
        ("unclaimed.parquet", rows_of("unclaimed.parquet", ("ann", "1.5"))),
        ("unclaimed.parquet", rows_of("unclaimed.parquet", ("ann", "\u0661"))),
        (
            "corrections.parquet",
            rows_of("corrections.parquet", (1, "gift", "e" * 64, ALICE, "", "1", "")),
        ),
        ("carried.parquet", FULL["carried"]),
    ],
)
def test_read_inputs__hashed_but_not_ours__is_refused(
    tmp_path: Path, name: str, table: pa.Table
) -> None:
    files = {file.name: file for file in write_inputs(tmp_path, Inputs())}
    files[name] = write_table(tmp_path / name, table)
    with pytest.raises(DistributaryError) as raised:
        read_inputs(tmp_path, [files[each] for each in INPUT_NAMES])
    assert raised.value.code == "bad_input_file"


def test_write_inputs__that_no_reader_would_take__writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DistributaryError):
        write_inputs(tmp_path / "new", Inputs(bindings={"ann": "nowhere"}))
    assert not (tmp_path / "new").exists()


def test_read_inputs__another_number_of_rows_stated__is_refused(tmp_path: Path) -> None:
    files = write_inputs(tmp_path, Inputs(**FULL))
    wrong = [replace(files[0], rows=3), *files[1:]]
    with pytest.raises(DistributaryError, match="number of rows"):
        read_inputs(tmp_path, wrong)


@pytest.fixture
def manifest(tmp_path: Path) -> SettlementManifest:
    epochs = [write_epoch(tmp_path, number, [[]]) for number in (3, 4)]
    return write_posting(tmp_path, epochs, Inputs(), previous_cut_block=90)


def test_manifest__written_and_read__is_the_same(
    manifest: SettlementManifest, tmp_path: Path
) -> None:
    path = tmp_path / posting_folder(3, 4, 1) / NAME
    assert load_manifest(path) == manifest
    assert write_manifest(tmp_path, manifest) == path
    assert read_manifest(manifest.payload).hash == manifest.hash
    assert manifest.folder == "settlements/00000003-00000004-1"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"engine": "another"},
        {"attempt": 0},
        {"attempt": 1.5},
        {"attempt": True},
        {"to_epoch": 5},
        {"from_epoch": 4},
        {"pinned_block": 103},
        {"previous_cut_block": 104},
        {"grace_blocks": -1},
        {"contract": "0x" + "A" * 40},
        {"parent_root": "0" * 64},
        {"epochs": (PostedEpoch(3, 105, "a" * 64), PostedEpoch(4, 104, "a" * 64))},
        {"epochs": (PostedEpoch(3, 103, "a" * 63), PostedEpoch(4, 104, "a" * 64))},
        {"epochs": ()},
        {"rules": ()},
        {"files": ()},
    ],
)
def test_manifest__a_field_that_no_posting_has__is_refused(
    manifest: SettlementManifest, change: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as raised:
        replace(manifest, **change)
    assert raised.value.code == "bad_settlement_manifest"


def damaged(manifest: SettlementManifest) -> list[bytes]:
    parsed = json.loads(manifest.payload)
    rule = parsed["rules"][0] | {"name": "../../secret.json"}
    return [
        b"",
        b"[]",
        b"{}",
        manifest.payload + b"\n",
        json.dumps(parsed, indent=1).encode(),
        canonical_json(parsed | {"more": 1}),
        canonical_json({name: each for name, each in parsed.items() if name != "rules"}),
        canonical_json(parsed | {"epochs": [{"epoch": 3}]}),
        canonical_json(parsed | {"epochs": 5}),
        canonical_json(parsed | {"rules": [rule, *parsed["rules"][1:]]}),
        canonical_json(parsed | {"contract": 5}),
    ]


def test_read_manifest__not_one_of_ours__is_refused(manifest: SettlementManifest) -> None:
    for data in damaged(manifest):
        with pytest.raises(InputError):
            read_manifest(data)


def test_load_manifest__none_there__says_so(tmp_path: Path) -> None:
    with pytest.raises(DistributaryError) as raised:
        load_manifest(tmp_path / NAME)
    assert raised.value.code == "lake_file_damaged"
