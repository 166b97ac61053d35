"""A lake with closed epochs and a posting over them, made by hand: what settlement would write."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from distributary.answers import Answer
from distributary.attribution.weights import WHOLE
from distributary.canonical import canonical_json, sha256_hex
from distributary.epochs import counts_by_outcome
from distributary.lake.compaction import _write
from distributary.lake.files import manifest_path
from distributary.lake.schema import ANSWERS, answers_table
from distributary.recording.records import Lane, Outcome, Row, Weights
from distributary.rewards.inputs import CARRIED, AccountFunds, Inputs, write_inputs
from distributary.rewards.manifest import (
    ZERO_ROOT,
    PostedEpoch,
    SettlementManifest,
    posting_folder,
    write_manifest,
)
from distributary.rewards.outputs import write_outputs
from distributary.rewards.posting import rule_files
from distributary.rewards.reference import compute
from distributary.rules import load_catalogue
from distributary.store.epochs import OutcomeCount
from tests.signed_answers import (
    ADMITTED_AT_MS,
    DOCUMENTS,
    DOMAIN,
    Customer,
    batch,
    bundle,
    eight_weights,
)

TOPIC = "answers-topic"
FIRST_BLOCK = 100


def address(number: int) -> str:
    """An address of a number."""
    return f"0x{number:040x}"


def hash_of(text: str) -> str:
    """A hash that looks like any other, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def split_hash() -> str:
    """The split in force."""
    rule = load_catalogue("splits").in_force(ADMITTED_AT_MS)
    assert rule is not None
    return rule.hash


def charged(name: str, account: str, units: int, **changes: Any) -> dict[str, Any]:
    """A charged row: what decides money is given, the rest is none.

    Args:
        name: the request hash is made from it.
        account: who pays.
        units: the charge.
        changes: of other columns; `weights` is a mapping from document to weight.
    """
    weights: Mapping[str, int] = changes.pop("weights", {})
    row = dict.fromkeys(ANSWERS.names) | {
        "status": "executed",
        "outcome": "charged",
        "charge_units": str(units),
        "stated_charge_units": str(units),
        "max_charge_units": str(units),
        "expires_at": ADMITTED_AT_MS // 1000 + 60,
        "admitted_at_ms": ADMITTED_AT_MS,
        "account": account,
        "source": "test",
        "id": name,
        "request_hash": hash_of(name),
        "model": "smollm2-135m",
        "node": "local",
        "split_hash": split_hash(),
        "commons": WHOLE - sum(weights.values()),
        "documents": sorted(weights),
        "weights": [weights[document] for document in sorted(weights)],
    }
    return row | changes


def write_epoch(
    lake: Path,
    epoch: int,
    partitions: Sequence[Sequence[Mapping[str, Any]] | pa.Table],
    cut_block: int | None = None,
) -> PostedEpoch:
    """Writes the canonical files and the answers manifest of an epoch."""
    folder, files, ranges = manifest_path(lake, epoch).parent, [], []
    counted: dict[tuple[str, str | None], list[int]] = {}
    for partition, given in enumerate(partitions):
        table = given if isinstance(given, pa.Table) else rows_table(partition, given)
        ranges.append(_range(partition, table.num_rows))
        _count(counted, table)
        if table.num_rows:
            path = folder / f"answers-{TOPIC}-{partition:05d}.parquet"
            rows = _write(path, ANSWERS, [table])
            data = path.read_bytes()
            size = {"rows": rows, "bytes": len(data)}
            files.append({"name": path.name, **size, "sha256": sha256_hex(data), "digest": ""})
    cut_block = FIRST_BLOCK + epoch if cut_block is None else cut_block
    counts = [OutcomeCount(*key, *sums) for key, sums in sorted(counted.items(), key=str)]
    manifest = {
        "version": 1,
        "epoch": epoch,
        "method": "spans-1",
        "chain_id": DOMAIN.chain_id,
        "contract": DOMAIN.contract,
        "cut_block": cut_block,
        "ranges": ranges,
        "files": files,
        "counts": counts_by_outcome(counts),
        "charged_units": str(sum(each.charge_units for each in counts)),
    }
    data = canonical_json(manifest)
    manifest_path(lake, epoch).parent.mkdir(parents=True, exist_ok=True)
    manifest_path(lake, epoch).write_bytes(data)
    return PostedEpoch(epoch, cut_block, sha256_hex(data))


def rows_table(partition: int, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows in their order as a canonical table; offsets count from zero."""
    placed = [
        dict(row) | {"topic_id": TOPIC, "partition": partition, "answer_offset": offset}
        for offset, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(placed, schema=ANSWERS)


def carried_table(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> pa.Table:
    """Charges carried in, each with its own epoch."""
    placed = [
        {"topic_id": TOPIC, "partition": 0, "answer_offset": 0} | dict(row) | {"epoch": epoch}
        for epoch, row in rows
    ]
    return pa.Table.from_pylist(placed, schema=CARRIED)


def write_posting(
    lake: Path, epochs: Sequence[PostedEpoch], inputs: Inputs, **changes: Any
) -> SettlementManifest:
    """Writes the input files and the settlement manifest over epochs already written."""
    given = {
        "chain_id": DOMAIN.chain_id,
        "contract": DOMAIN.contract,
        "from_epoch": epochs[0].epoch,
        "to_epoch": epochs[-1].epoch,
        "attempt": 1,
        "parent_root": ZERO_ROOT,
        "previous_cut_block": None,
        "pinned_block": epochs[-1].cut_block,
        "grace_blocks": 10,
        "epochs": tuple(epochs),
        "rules": rule_files(),
    } | changes
    folder = posting_folder(given["from_epoch"], given["to_epoch"], given["attempt"])
    manifest = SettlementManifest(files=write_inputs(lake / folder, inputs), **given)
    write_manifest(lake, manifest)
    return manifest


def _range(partition: int, rows: int) -> dict[str, Any]:
    place = {"topic_id": TOPIC, "partition": partition}
    return place | {"from_offset": 0, "to_offset": rows}


def _count(counted: dict[tuple[str, str | None], list[int]], table: pa.Table) -> None:
    for row in table.select(["outcome", "reason", "charge_units"]).to_pylist():
        sums = counted.setdefault((row["outcome"], row["reason"]), [0, 0])
        sums[0] += 1
        sums[1] += int(row["charge_units"])


def signed_table(partition: int, answers: Sequence[Answer], weights: Weights) -> pa.Table:
    """Answers judged as the attribution job judges them, all that are charged weighed alike."""
    given = batch(Lane(TOPIC, 1, partition, 1), 0, list(answers))
    rows = []
    for weighed in bundle(given, weights=weights).weighed:
        is_charged = weighed.judged.reason is None
        outcome = Outcome.CHARGED if is_charged else Outcome.UNCHARGED
        rows.append(Row(weighed.judged, outcome, weighed.weights))
    return answers_table(TOPIC, partition, rows)


def signed_posting(lake: Path, answers: int = 6) -> SettlementManifest:
    """One epoch of signed answers and a refusal in two partitions, fully funded, with outputs."""
    customers = [Customer(account=address(number)) for number in (1, 2)]
    given = [customers[number % 2].answer(number) for number in range(answers)]
    tables = [
        signed_table(0, [*given[::2], customers[0].refused(answers)], eight_weights()),
        signed_table(1, given[1::2], eight_weights()),
    ]
    inputs = Inputs(
        accounts={address(number): AccountFunds(10**18, 0) for number in (1, 2)},
        assets={("data", DOCUMENTS[0]): "author", ("node", "local"): "operator"},
        bindings={"author": address(11)},
    )
    manifest = write_posting(lake, [write_epoch(lake, 1, tables)], inputs)
    write_outputs(lake / manifest.folder, compute(lake, manifest))
    return manifest
