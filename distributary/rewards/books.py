"""Invariants that the files of a posting can be held to: I1 by epoch, I3 by epoch and account."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from distributary.rewards.findings import Findings
from distributary.rewards.funding import Funding
from distributary.rewards.inputs import CHARGED
from distributary.rewards.lines import Line
from distributary.rewards.posting import QUARANTINE, EpochFiles, Posting, read_answers
from distributary.rewards.reference import Computed
from distributary.rewards.unit_columns import sum_units

_COLUMNS = ("topic_id", "partition", "answer_offset", "outcome", "reason", "charge_units")


def check_epoch(files: EpochFiles, posting: Posting, findings: Findings) -> None:
    """Invariant I1: what the answers manifest says of an epoch is what its files hold."""
    manifest, name = files.answers_manifest, f"epoch {files.epoch}"
    findings.equal("answers_manifest", f"{name}: epoch", manifest["epoch"], files.epoch)
    findings.equal(
        "answers_manifest", f"{name}: chain", manifest["chain_id"], posting.manifest.chain_id
    )
    findings.equal(
        "answers_manifest", f"{name}: contract", manifest["contract"], posting.manifest.contract
    )
    findings.equal(
        "answers_manifest", f"{name}: cut block", manifest["cut_block"], files.posted.cut_block
    )
    counted = _count(files, findings)
    _check_counts(name, manifest, counted, findings)


def _count(files: EpochFiles, findings: Findings) -> dict[tuple[str, str | None], list[int]]:
    """Rows and charged units by outcome and reason; offsets are checked on the way."""
    ranges = {(r["topic_id"], r["partition"]): r for r in files.answers_manifest["ranges"]}
    counted: dict[tuple[str, str | None], list[int]] = {}
    for path in files.answers:
        last = -1
        for table in read_answers(path, _COLUMNS):
            last = _check_offsets(path.name, table, ranges, last, findings)
            for outcome, reason, rows in _grouped(table):
                counted.setdefault((outcome, reason), [0, 0])[0] += rows
            charges = table.filter(pc.not_equal(table["charge_units"], "0"))
            for outcome in pc.unique(charges["outcome"]).to_pylist():
                units = charges.filter(_is(charges["outcome"], outcome))["charge_units"]
                counted.setdefault((outcome, None), [0, 0])[1] += sum_units(units)
    return counted


def _is(column: pa.ChunkedArray, value: str | None) -> Any:
    """Where a column has a value, or none."""
    return pc.is_null(column) if value is None else pc.equal(column, value)


def _grouped(table: pa.Table) -> list[tuple[str, str | None, int]]:
    groups = table.group_by(["outcome", "reason"]).aggregate([([], "count_all")])
    columns = [groups[name].to_pylist() for name in ("outcome", "reason", "count_all")]
    return list(zip(*columns, strict=True))


def _check_offsets(
    name: str,
    table: pa.Table,
    ranges: Mapping[tuple[str, int], Mapping[str, int]],
    last: int,
    findings: Findings,
) -> int:
    """Offsets rise within the range of the file's one partition; returns the last."""
    offsets = table["answer_offset"].to_numpy()
    if not len(offsets):
        return last
    places = table.select(["topic_id", "partition"]).group_by(["topic_id", "partition"])
    place = places.aggregate([]).to_pylist()
    given = ranges.get((place[0]["topic_id"], place[0]["partition"])) if len(place) == 1 else None
    holds = (
        given is not None
        and int(offsets[0]) > last
        and bool((offsets[1:] > offsets[:-1]).all())
        and given["from_offset"] <= int(offsets[0])
        and int(offsets[-1]) < given["to_offset"]
    )
    findings.check("offsets", holds, f"{name} has rows out of order or of its range")
    return int(offsets[-1])


def _check_counts(
    name: str,
    manifest: Mapping[str, Any],
    counted: Mapping[tuple[str, str | None], list[int]],
    findings: Findings,
) -> None:
    stated: dict[tuple[str, str | None], int] = {
        (outcome, None): manifest["counts"][outcome] for outcome in ("charged", "duplicate")
    }
    uncharged = manifest["counts"]["uncharged"].items()
    stated |= {("uncharged", reason): rows for reason, rows in uncharged}
    for key in sorted({*stated, *counted}, key=str):
        rows = counted.get(key, [0, 0])[0]
        what = " ".join(filter(None, (name, *key)))
        findings.equal("counts", f"{what} rows", stated.get(key, 0), rows)
    quarantined = sum(manifest["counts"]["quarantined"].values())
    kept = sum(file["rows"] for file in manifest["files"] if file["name"] == QUARANTINE)
    findings.equal("counts", f"{name} quarantined rows", quarantined, kept)
    every = sum(rows for rows, _ in counted.values()) + quarantined
    findings.equal("counts", f"{name} records", manifest["counts"]["records"], every)
    reach = sum(each["to_offset"] - each["from_offset"] for each in manifest["ranges"])
    findings.check("counts", every <= reach, f"{name} has more records than offsets")
    charged = sum(units for _, units in counted.values())
    findings.equal("counts", f"{name} charged units", manifest["charged_units"], str(charged))


def check_money(posting: Posting, computed: Computed, funding: Funding, findings: Findings) -> None:
    """Invariant I3, from two sides: lines against charges, and accounts against deposits."""
    paid, pools = _sums(computed.lines), computed.pools
    for each in posting.epochs:
        lines = sum(units for (epoch, _), units in paid.items() if epoch == each.epoch)
        apart = sum(paid.get((each.epoch, role), 0) for role in ("release", "refund"))
        findings.equal(
            "conservation", f"epoch {each.epoch} pool", pools.get(each.epoch, 0), lines - apart
        )
    leaves = {(leaf.kind, leaf.address): leaf.cumulative_units for leaf in computed.leaves}
    for account, funds in posting.inputs.accounts.items():
        left = funds.deposited_units - funds.withdrawn_units - leaves[CHARGED, account]
        findings.check("credit", left >= 0, f"{account} is charged {-left} above its deposits")
    for key, units in posting.inputs.active_leaves.items():
        findings.check("leaves_grow", leaves[key] >= units, f"the leaf {key} shrinks")
    findings.check(
        "caps",
        computed.earned_total <= computed.charged_total,
        f"earned {computed.earned_total} is above charged {computed.charged_total}",
    )
    charged = sum(funding.charged.values())
    findings.equal("conservation", "funded units", sum(pools.values()), charged)


def _sums(lines: list[Line]) -> dict[tuple[int, str], int]:
    sums: dict[tuple[int, str], int] = {}
    for line in lines:
        key = (line.epoch, line.role)
        sums[key] = sums.get(key, 0) + line.units
    return sums
