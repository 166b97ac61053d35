"""The folder of a posting in the lake: whether it is whole, and the leaves that it holds."""

from pathlib import Path

from distributary.errors import DistributaryError
from distributary.lake.files import file_sha256
from distributary.merkle import build_tree
from distributary.rewards.leaves import Leaf
from distributary.rewards.manifest import NAME, SettlementManifest, load_manifest, posting_folder
from orchestration.settlement import inputs
from orchestration.settlement.postings import Posted
from orchestration.settlement.stops import StopError


def read_whole(folder: Path) -> SettlementManifest | None:
    """The manifest of a posting's folder; None unless it and all input files are whole."""
    try:
        manifest = load_manifest(folder / NAME)
        whole = all(file_sha256(folder / f.name).hex() == f.sha256 for f in manifest.files)
    except (DistributaryError, OSError):
        return None
    return manifest if whole else None


def is_whole(lake: Path, posting: Posted) -> bool:
    """Whether anybody could still recompute a posting from its manifest and input files."""
    folder = lake / posting_folder(posting.from_epoch, posting.to_epoch, posting.attempt)
    manifest = read_whole(folder)
    return manifest is not None and manifest.hash == posting.settlement_hash.hex()


def read_leaves(lake: Path, posting: Posted) -> list[Leaf]:
    """The leaves of a posting, from its folder, held against its root.

    Raises:
        StopError: `inputs_altered`: the file gives another root.
        DistributaryError: `lake_file_damaged`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    manifest = inputs.posting_manifest(lake, posting)
    path = lake / manifest.folder / "leaves.parquet"
    try:
        rows = pq.read_table(path, columns=["kind", "address", "cumulative_units"]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DistributaryError(
            "The leaves of a posting are missing or damaged: restore the lake.",
            value=str(path),
            code="lake_file_damaged",
        ) from error
    leaves = [Leaf(r["kind"], r["address"], int(r["cumulative_units"])) for r in rows]
    if build_tree(leaves).root != "0x" + posting.root.hex():
        raise StopError("inputs_altered", value=str(path))
    return leaves
