"""What the gate looks at: dbt's rows, the posting's files and the books, gathered from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.lake.files import file_sha256
from distributary.rewards.funding import Charge
from distributary.rewards.inputs import Inputs
from distributary.rewards.leaves import Leaf
from distributary.rewards.lines import Line
from distributary.rewards.manifest import SettlementManifest
from distributary.rewards.posting import open_posting
from distributary.rules.payout import load_payouts, payout_in_force
from distributary.store.built_rewards import read_charges, read_leaves, read_lines
from distributary.strict_json import parse_json
from orchestration.dbt import Built
from orchestration.settlement.inputs import posting_manifest
from orchestration.settlement.postings import Posted

TRAILING_EPOCHS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Records:
    """The records of an epoch, counted three ways, and its offset ranges (I1).

    Attributes:
        epoch: the epoch.
        in_files: as the committed files count them.
        booked: rows of answers and quarantine.
        in_manifest: as the answers manifest counts them.
        charged_units: of its charged answers, base units.
        outside_ranges: records of its files that lie outside its offset ranges.
        gaps: partitions whose range does not begin where the last epoch's ended.
    """

    epoch: int
    in_files: int
    booked: int
    in_manifest: int
    charged_units: int
    outside_ranges: int
    gaps: int


@dataclass(frozen=True, slots=True)
class FileHash:
    """A file with the hash that its manifest names and the one found; empty where it is gone."""

    name: str
    wanted: str
    found: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All of it; nothing here was computed by what is checked.

    Attributes:
        posted: the posting as it would be sent.
        manifest: its settlement manifest.
        inputs: its input files.
        lines: as dbt built them.
        leaves: likewise.
        charges: likewise.
        funded_before: request hashes that an active posting funded, among those of `charges`.
        ledger_accounts: names that a line may pay besides addresses.
        records: of each epoch covered.
        trailing_units: charged units of the epochs before, the newest first.
        released: epochs that a person let go.
        files: everything that the manifests name.
        tests: status of every test of dbt, by name.
    """

    posted: Posted
    manifest: SettlementManifest
    inputs: Inputs
    lines: Sequence[Line]
    leaves: Sequence[Leaf]
    charges: Sequence[Charge]
    funded_before: frozenset[str]
    ledger_accounts: frozenset[str]
    records: Sequence[Records]
    trailing_units: Sequence[int]
    released: frozenset[int]
    files: Sequence[FileHash]
    tests: Mapping[str, str]


def gather(connection: Connection[TupleRow], lake: Path, posted: Posted, built: Built) -> Evidence:
    """Reads it all.

    Raises:
        StopError: `inputs_altered`: the settlement manifest is another.
        DistributaryError: `lake_file_damaged`, `bad_input_file`.
    """
    manifest = posting_manifest(lake, posted)
    charges = read_charges(connection, posted.posting_id)
    rule = payout_in_force(load_payouts(), posted.to_epoch)
    return Evidence(
        posted=posted,
        manifest=manifest,
        inputs=open_posting(lake, manifest).inputs,
        lines=read_lines(connection, posted.posting_id),
        leaves=read_leaves(connection, posted.posting_id),
        charges=charges,
        funded_before=_funded_before(connection, posted.posting_id, charges),
        ledger_accounts=frozenset(rule.ledger_accounts.values()),
        records=[
            _records(connection, lake, epoch)
            for epoch in range(posted.from_epoch, posted.to_epoch + 1)
        ],
        trailing_units=_trailing(connection, posted.from_epoch),
        released=_released(connection),
        files=list_files(lake, manifest),
        # Exposures are nodes as well, which do nothing.
        tests={node.name: node.status for node in built.tests if node.kind == "test"},
    )


def list_files(lake: Path, manifest: SettlementManifest) -> list[FileHash]:
    """Every file that the settlement manifest and its answers manifests name."""
    from distributary.lake.files import manifest_path

    folder = lake / manifest.folder
    named = [(folder / file.name, file.sha256) for file in manifest.files]
    for each in manifest.epochs:
        path = manifest_path(lake, each.epoch)
        named.append((path, each.manifest))
        if path.is_file():
            files = parse_json(path.read_bytes())["files"]
            named += [(path.parent / file["name"], file["sha256"]) for file in files]
    return [
        FileHash(str(path.relative_to(lake)), wanted, _hash(path)) for path, wanted in sorted(named)
    ]


def _hash(path: Path) -> str:
    return file_sha256(path).hex() if path.is_file() else ""


def _funded_before(
    connection: Connection[TupleRow], posting_id: int, charges: Sequence[Charge]
) -> frozenset[str]:
    rows = connection.execute(
        """
        select c.request_hash from rewards.fct_charges c join postings p using (posting_id)
        where p.state = 'active' and c.state = 'funded' and posting_id <> %s
            and c.request_hash = any(%s)
        """,
        (posting_id, [charge.request_hash for charge in charges]),
    )
    return frozenset(hash_ for (hash_,) in rows)


def _records(connection: Connection[TupleRow], lake: Path, epoch: int) -> Records:
    from distributary.lake.files import manifest_path

    row = connection.execute(
        """
        select
            (select coalesce(sum(records), 0) from lake_files where epoch = %(epoch)s),
            (select count(*) from answers where epoch = %(epoch)s)
                + (select count(*) from quarantine where epoch = %(epoch)s),
            (select coalesce(sum(charge_units), 0) from answers
                where epoch = %(epoch)s and outcome = 'charged'),
            (select coalesce(sum(f.records), 0) from lake_files f where epoch = %(epoch)s
                and not exists (select from epoch_ranges r
                    where (r.epoch, r.topic, r.partition) = (f.epoch, f.topic, f.partition)
                        and r.from_offset <= f.from_offset and f.to_offset <= r.to_offset
                        and f.records <= f.to_offset - f.from_offset)),
            (select count(*) from epoch_ranges r where epoch = %(epoch)s
                and from_offset <> (select before.to_offset from epoch_ranges before
                    where (before.topic, before.partition) = (r.topic, r.partition)
                        and before.epoch < r.epoch
                    order by before.epoch desc limit 1))
        """,
        {"epoch": epoch},
    ).fetchone()
    in_files, booked, units, outside, gaps = map(int, row or (0, 0, 0, 0, 0))
    path = manifest_path(lake, epoch)
    counted = parse_json(path.read_bytes())["counts"]["records"] if path.is_file() else -1
    return Records(epoch, in_files, booked, int(counted), units, outside, gaps)


def _trailing(connection: Connection[TupleRow], first: int) -> list[int]:
    rows = connection.execute(
        """
        select coalesce((select sum(charge_units) from answers a
            where a.epoch = e.epoch and outcome = 'charged'), 0)
        from epoch_commits e where epoch < %s order by epoch desc limit %s
        """,
        (first, TRAILING_EPOCHS_MAX),
    )
    return [int(units) for (units,) in rows]


def _released(connection: Connection[TupleRow]) -> frozenset[int]:
    rows = connection.execute("select distinct epoch from epoch_releases")
    return frozenset(epoch for (epoch,) in rows)
