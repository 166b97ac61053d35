"""What a posting took over from the one before: charges carried in, and unclaimed balances."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from distributary.rewards.findings import Findings
from distributary.rewards.funding import State
from distributary.rewards.inputs import read_inputs
from distributary.rewards.lines import Line, unclaimed_after
from distributary.rewards.manifest import NAME, ZERO_ROOT, SettlementManifest, load_manifest
from distributary.rewards.outputs import TREE_NAME, tree_root
from distributary.rewards.posting import Posting
from distributary.rules.payout import payout_in_force

_NEEDED = ("charges.parquet", "lines.parquet", "unclaimed.parquet", NAME, TREE_NAME)


def find_previous(lake: Path, manifest: SettlementManifest) -> Path | None:
    """The folder of the posting whose root is the parent's; None if its files are not here."""
    pattern = f"*-{manifest.from_epoch - 1:08d}-*"
    for folder in sorted((lake / "settlements").glob(pattern)):
        is_whole = all((folder / name).is_file() for name in _NEEDED)
        if is_whole and tree_root(folder / TREE_NAME) == manifest.parent_root:
            return folder
    return None


def check_carried_in(lake: Path, posting: Posting, findings: Findings) -> None:
    """Whether charges carried in and unclaimed balances are those that the parent left.

    Raises:
        DistributaryError: the parent's files are damaged.
    """
    inputs = posting.inputs
    carried = _carried_rows(inputs.carried)
    if posting.manifest.parent_root == ZERO_ROOT:
        findings.equal("carried_in", "charges of no posting", 0, len(carried))
        findings.equal("unclaimed_in", "unclaimed of no posting", 0, len(inputs.unclaimed))
        return
    folder = find_previous(lake, posting.manifest)
    if folder is None:
        return
    left = _carried_left(folder)
    findings.add("carried_in", 0)
    for request_hash in sorted(left.keys() | carried.keys()):
        findings.equal(
            "carried_in",
            f"the charge {request_hash}",
            left.get(request_hash),
            carried.get(request_hash),
        )
    previous = load_manifest(folder / NAME)
    rule = payout_in_force(posting.payouts, previous.to_epoch)
    before = read_inputs(folder, previous.files).unclaimed
    expected = unclaimed_after(before, _lines(folder), rule)
    findings.equal("unclaimed_in", "unclaimed", expected, dict(sorted(inputs.unclaimed.items())))


Carried = tuple[str, str]  # account and units


def _carried_rows(table: pa.Table) -> dict[str, Carried]:
    columns = [table[name].to_pylist() for name in ("request_hash", "account", "charge_units")]
    return {hash_: (account, units) for hash_, account, units in zip(*columns, strict=True)}


def _carried_left(folder: Path) -> dict[str, Carried]:
    """The charges that a posting left carried, by request hash."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "charges.parquet")
    table = table.filter(pc.equal(table["state"], State.CARRIED.value))
    return _carried_rows(table.rename_columns({"units": "charge_units"}))


def _lines(folder: Path) -> list[Line]:
    import pyarrow.parquet as pq

    columns = [column.to_pylist() for column in pq.read_table(folder / "lines.parquet").columns]
    return [
        Line(epoch, role, asset, owner, payee, int(units), reason)
        for epoch, role, asset, owner, payee, units, reason in zip(*columns, strict=True)
    ]
