"""Verification by an outsider: what holds, and every lie by its name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from distributary.canonical import canonical_json, sha256_hex
from distributary.cli.main import app
from distributary.identity import Identity
from distributary.lake.compaction import _write
from distributary.lake.files import manifest_path
from distributary.lake.schema import ANSWERS
from distributary.merkle import proof_holds
from distributary.requests import request_hash
from distributary.rewards.findings import ChainFact, Report
from distributary.rewards.inputs import Inputs, read_inputs
from distributary.rewards.manifest import NAME, PostedEpoch, SettlementManifest, load_manifest
from distributary.rewards.reference import compute
from distributary.rewards.row_checks import hasher
from distributary.rewards.signature_checks import SAMPLE_EVERY, is_sampled
from distributary.rewards.verify import verify
from tests.postings import (
    address,
    carried_table,
    charged,
    hash_of,
    signed_posting,
    write_epoch,
    write_posting,
)
from tests.signed_answers import DOMAIN

Row = dict[str, Any]


def failed(report: Report) -> set[str]:
    return {finding.name for finding in report.failures}


def test_verify__an_honest_posting__holds_and_gives_the_root(tmp_path: Path) -> None:
    manifest = signed_posting(tmp_path)
    report = verify(tmp_path, manifest)
    assert report.ok, report.failures
    assert report.root == report.posted_root == compute(tmp_path, manifest).root
    looked_at = {finding.name: finding.looked_at for finding in report.findings}
    assert (looked_at["signature"], looked_at["request_hash"]) == (6, 6)
    assert looked_at["outputs"] == 4
    assert any("delegated" in sentence for sentence in report.not_checked)


def test_verify__another_root_posted__fails_by_name(tmp_path: Path) -> None:
    report = verify(tmp_path, signed_posting(tmp_path), "0x" + "1" * 64)
    assert failed(report) == {"root"}


def forge(lake: Path, change: Callable[[Row], None], **manifest: Any) -> SettlementManifest:
    """An operator's lie: the first charged row is changed, and everything hashed again."""
    signed_posting(lake)
    path = next(manifest_path(lake, 1).parent.glob("*-00000.parquet"))
    rows = pq.read_table(path).to_pylist()
    change(rows[0])
    _write(path, ANSWERS, [pa.Table.from_pylist(rows, schema=ANSWERS)])
    answers = json.loads(manifest_path(lake, 1).read_bytes()) | manifest
    for file in answers["files"]:
        if file["name"] == path.name:
            file["sha256"] = sha256_hex(path.read_bytes())
    answers["charged_units"] = manifest.get("charged_units") or str(
        sum(
            int(units) if units.isdigit() else 0
            for each in manifest_path(lake, 1).parent.glob("*.parquet")
            for units in pq.read_table(each)["charge_units"].to_pylist()
        )
    )
    data = canonical_json(answers)
    manifest_path(lake, 1).write_bytes(data)
    return posting_over(lake, [PostedEpoch(1, 101, sha256_hex(data))])


def posting_over(lake: Path, epochs: list[PostedEpoch], **inputs: Any) -> SettlementManifest:
    """The posting again over other epochs, with other inputs."""
    folder = lake / "settlements" / "00000001-00000001-1"
    given = read_inputs(folder, load_manifest(folder / NAME).files)
    return write_posting(lake, epochs, Inputs(**(vars(given) | inputs)))


def change(**columns: Any) -> Callable[[Row], None]:
    return lambda row: row.update(columns)


def charge_more(row: Row) -> None:
    row["charge_units"] = row["stated_charge_units"] = str(int(row["charge_units"]) + 1)


def shift_weights(row: Row) -> None:
    row["weights"] = [row["weights"][0] + 1, *row["weights"][1:]]


def negative_weight(row: Row) -> None:
    first, second, *others = row["weights"]
    row["weights"] = [first + 2 * second, -second, *others]


@pytest.mark.parametrize(
    ("lie", "names"),
    [
        (change(account=address(2)), {"request_hash"}),
        (change(id="another"), {"request_hash"}),
        (change(body_hash="0" * 64), {"request_hash"}),
        (change(max_charge_units="9" * 20), {"request_hash"}),
        (change(expires_at=1), {"request_hash", "expiry"}),
        (change(max_charge_units="1"), {"request_hash", "maximum"}),
        (change(signature="0" * 128), {"signature"}),
        (change(key="0" * 64), {"signature"}),
        (change(prompt_tokens=99), {"charge"}),
        (change(stated_charge_units="1"), {"charge"}),
        (change(model="dear"), {"charge"}),
        (change(price_hash="0" * 64), {"price_in_force", "charge"}),
        (change(price_hash=None), {"price_in_force", "charge"}),
        (change(split_hash="0" * 64), {"split_in_force", "unknown_rule"}),
        (change(topic_id="another"), {"offsets"}),
        (change(answer_offset=10), {"offsets"}),
        (change(outcome="uncharged", reason="expired", charge_units="0"), {"counts"}),
        (charge_more, {"charge"}),
        (shift_weights, {"weights", "weights_disagree"}),
        (negative_weight, {"weights"}),
        (change(charge_units="many"), {"unreadable"}),
        (change(signature=None), {"unreadable"}),
        (change(account=None), {"unreadable"}),
    ],
)
def test_verify__a_lie_with_all_hashes_made_again__is_found_by_name(
    tmp_path: Path, lie: Callable[[Row], None], names: set[str]
) -> None:
    report = verify(tmp_path, forge(tmp_path, lie))
    assert not report.ok
    assert names <= failed(report) <= names | {"outputs", "root", "unreadable"}


COUNTS = {"charged": 6, "duplicate": 0, "uncharged": {}, "quarantined": {}, "records": 6}


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ({"chain_id": 1}, "answers_manifest"),
        ({"contract": "0x" + "1" * 40}, "answers_manifest"),
        ({"cut_block": 7}, "answers_manifest"),
        ({"epoch": 7}, "answers_manifest"),
        ({"counts": COUNTS | {"uncharged": {"refused": 2}, "records": 8}}, "counts"),
        ({"charged_units": "5"}, "counts"),
        ({"ranges": []}, "offsets"),
    ],
)
def test_verify__an_answers_manifest_that_lies__is_found_by_name(
    tmp_path: Path, stated: dict[str, Any], name: str
) -> None:
    assert name in failed(verify(tmp_path, forge(tmp_path, lambda _: None, **stated)))


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({"active_leaves": {(0, address(11)): 10**20}}, "parent_root"),
        ({"unclaimed": {"author": 5}}, "unclaimed_in"),
        ({"accounts": {}}, "outputs"),
        ({"bindings": {"author": address(12)}}, "root"),
    ],
)
def test_verify__inputs_that_lie__are_found_by_name(
    tmp_path: Path, inputs: dict[str, Any], name: str
) -> None:
    manifest = signed_posting(tmp_path)
    assert name in failed(verify(tmp_path, posting_over(tmp_path, list(manifest.epochs), **inputs)))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [truncate, alter, Path.unlink])
@pytest.mark.parametrize(
    "name", ["accounts.parquet", "carried.parquet", "*-00001.parquet", "answers-manifest.json"]
)
def test_verify__a_file_damaged_after_the_manifest__fails_by_name(
    tmp_path: Path, damage: Callable[[Path], None], name: str
) -> None:
    manifest = signed_posting(tmp_path)
    (path,) = (each for each in tmp_path.rglob(name) if each.is_file())
    damage(path)
    report = verify(tmp_path, manifest)
    assert failed(report) == {"lake_file_damaged"}
    assert report.root is None
    assert path.name in report.failures[0].examples[0]


OUTPUTS = ("lines", "leaves", "charges")


def pay_more(path: Path) -> None:
    table = pq.read_table(path)
    name = "cumulative_units" if path.name == "leaves.parquet" else "units"
    units = [str(int(each) + 1) for each in table[name].to_pylist()]
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, [units]), path)


@pytest.mark.parametrize(
    ("name", "damage"),
    [(f"{name}.parquet", how) for name in OUTPUTS for how in (truncate, pay_more)]
    + [("tree.json", truncate), ("tree.json", alter)],
)
def test_verify__an_output_damaged__fails_by_name(
    tmp_path: Path, damage: Callable[[Path], None], name: str
) -> None:
    manifest = signed_posting(tmp_path)
    damage(tmp_path / manifest.folder / name)
    report = verify(tmp_path, manifest, compute(tmp_path, manifest).root)
    assert failed(report) == {"outputs"}


def test_verify__hashed_bytes_that_are_no_parquet__fail_by_name(tmp_path: Path) -> None:
    manifest = signed_posting(tmp_path)
    path = next(tmp_path.rglob("*-00001.parquet"))
    path.write_bytes(b"PAR1 nothing PAR1")
    answers = json.loads(manifest_path(tmp_path, 1).read_bytes())
    answers["files"][1]["sha256"] = sha256_hex(path.read_bytes())
    data = canonical_json(answers)
    manifest_path(tmp_path, 1).write_bytes(data)
    posted = PostedEpoch(1, 101, sha256_hex(data))
    assert failed(verify(tmp_path, posting_over(tmp_path, [posted]))) == {"lake_file_damaged"}
    assert manifest


def test_verify__after_another_posting__holds_what_is_carried_in_to_it(tmp_path: Path) -> None:
    first = signed_posting(tmp_path)
    before = compute(tmp_path, first)
    inputs = read_inputs(tmp_path / first.folder, first.files)
    taken = {
        "active_leaves": {leaf[:2]: leaf[2] for leaf in before.leaves},
        "unclaimed": before.unclaimed,
    }
    epochs = [write_epoch(tmp_path, 2, [[]])]
    given = {"parent_root": before.root, "previous_cut_block": 101}
    honest = write_posting(tmp_path, epochs, Inputs(**(vars(inputs) | taken)), **given)
    assert verify(tmp_path, honest).ok
    taken["unclaimed"] = before.unclaimed | {"operator": 1}
    lying = write_posting(tmp_path, epochs, Inputs(**(vars(inputs) | taken)), **given, attempt=2)
    assert failed(verify(tmp_path, lying)) == {"unclaimed_in"}
    taken |= {"unclaimed": before.unclaimed, "carried": carried_of(inputs)}
    lying = write_posting(tmp_path, epochs, Inputs(**(vars(inputs) | taken)), **given, attempt=3)
    assert "carried_in" in failed(verify(tmp_path, lying))


def carried_of(inputs: Inputs) -> pa.Table:
    return carried_table([(1, charged("invented", address(1), 5))])


@given(st.text(), st.text(), st.integers(-(2**53), 2**53), st.integers(0, 2**256 - 1))
def test_hasher__any_text__is_the_request_hash(
    source: str, id_: str, expires_at: int, maximum: int
) -> None:
    if any("\ud800" <= each <= "\udfff" for each in source + id_):
        return
    identity = Identity(address(1), source, id_)
    if abs(expires_at) >= 2**53:
        return
    expected = request_hash(DOMAIN, identity, "b" * 64, str(maximum), expires_at)
    made = hasher(DOMAIN)(identity.account, source, id_, "b" * 64, str(maximum), expires_at)
    assert made == expected


def test_is_sampled__of_many_hashes__is_about_one_in_a_hundred() -> None:
    sampled = sum(is_sampled(hash_of(str(number))) for number in range(20_000))
    assert 150 < sampled < 250
    assert SAMPLE_EVERY == 100


def test_command_verify__honest_and_not__has_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = signed_posting(tmp_path)
    monkeypatch.setenv("DISTRIBUTARY_LAKE", str(tmp_path))
    run = CliRunner().invoke
    fine = run(app, ["verify", "1", "--json"])
    assert (fine.exit_code, json.loads(fine.stdout)["ok"]) == (0, True)
    path = str(tmp_path / manifest.folder / NAME)
    assert run(app, ["verify", path, "--signatures", "sample"]).exit_code == 0
    wrong = run(app, ["verify", path, "--root", "0x" + "1" * 64])
    assert wrong.exit_code == 1
    assert "FAILED: root" in wrong.stdout
    assert run(app, ["verify", "2"]).exception.code == "unknown_posting"  # type: ignore[union-attr]


def test_command_proof__of_a_payee_and_an_account__is_what_a_claim_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = signed_posting(tmp_path)
    computed = compute(tmp_path, manifest)
    monkeypatch.setenv("DISTRIBUTARY_LAKE", str(tmp_path))
    run = CliRunner().invoke
    for kind, payee, options in ((0, address(11), []), (1, address(1), ["--charged"])):
        found = json.loads(run(app, ["proof", payee, "--json", *options]).stdout)
        value = (kind, payee, int(found["cumulative_units"]))
        assert value in computed.leaves
        assert found["root"] == computed.root
        assert proof_holds(computed.root, value, found["proof"])
    assert run(app, ["proof", address(99)]).exception.code == "no_leaf"  # type: ignore[union-attr]


def test_verify__the_chain_says_otherwise__fails_by_name(tmp_path: Path) -> None:
    manifest = signed_posting(tmp_path)
    asked = []

    def chain(given: SettlementManifest, inputs: Inputs, root: str) -> list[ChainFact]:
        asked.append((given, len(inputs.accounts), root))
        return [ChainFact("chain_root", "root", 1, 1), ChainFact("chain_accounts", "a", 5, 6)]

    report = verify(tmp_path, manifest, chain=chain)
    assert failed(report) == {"chain_accounts"}
    assert asked == [(manifest, 2, report.root)]
    assert not any("pinned" in sentence for sentence in report.not_checked)
