"""What a posting's folder holds besides its inputs: lines, leaves, charges and the tree."""

import re
from pathlib import Path
from typing import Final

import pyarrow as pa

from distributary.datanets.durable import make_folder, sync_file, sync_folder
from distributary.rewards.charges import charges_table
from distributary.rewards.inputs import rows_table, write_table
from distributary.rewards.manifest import InputFile
from distributary.rewards.reference import Computed

CHARGES_NAME: Final = "charges.parquet"
TREE_NAME: Final = "tree.json"
_ROOT: Final = re.compile(rb'"tree":\["(0x[0-9a-f]{64})"')


def _schema(*texts: str, **others: pa.DataType) -> pa.Schema:
    """Columns in the order given; the first ones are `others`."""
    return pa.schema([*others.items(), *((name, pa.string()) for name in texts)])


LINES: Final = _schema("role", "asset", "owner", "payee", "units", "reason", epoch=pa.int64())
LEAVES: Final = _schema("address", "cumulative_units", kind=pa.int8())


def output_tables(computed: Computed) -> dict[str, pa.Table]:
    """Lines, leaves and charges as tables, by file name."""
    return {
        "lines.parquet": rows_table(
            LINES,
            (line._replace(units=str(line.units)) for line in computed.lines),  # type: ignore[arg-type]
        ),
        "leaves.parquet": rows_table(
            LEAVES, ((*leaf[:2], str(leaf.cumulative_units)) for leaf in computed.leaves)
        ),
        CHARGES_NAME: charges_table(computed.charges),
    }


def write_outputs(folder: Path, computed: Computed) -> list[InputFile]:
    """Writes lines, leaves, charges and tree durably; safe to repeat, the bytes are the same.

    Returns:
        Name, rows and hash of the Parquet files.
    """
    written = [write_table(folder / name, t) for name, t in output_tables(computed).items()]
    if computed.tree is not None:
        make_folder(folder)
        temporary = folder / f".{TREE_NAME}"
        with temporary.open("wb") as file:
            file.writelines(computed.tree.dump())
        sync_file(temporary)
        temporary.replace(folder / TREE_NAME)
        sync_folder(folder)
    return written


def tree_root(path: Path) -> str | None:
    """The root that a `tree.json` states, read from its beginning; None if it states none."""
    with path.open("rb") as file:
        found = _ROOT.search(file.read(1_000))
    return found[1].decode() if found else None
