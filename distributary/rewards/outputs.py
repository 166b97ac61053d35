"""What a posting's folder holds besides its inputs: lines, leaves, charges and the tree."""

from pathlib import Path
from typing import Final

import pyarrow as pa

from distributary.datanets.durable import make_folder, sync_file, sync_folder
from distributary.rewards.inputs import rows_table, write_table
from distributary.rewards.manifest import InputFile
from distributary.rewards.reference import Computed

TREE_NAME: Final = "tree.json"


def _schema(*texts: str, **others: pa.DataType) -> pa.Schema:
    """Columns in the order given; the first ones are `others`."""
    return pa.schema([*others.items(), *((name, pa.string()) for name in texts)])


LINES: Final = _schema("role", "asset", "owner", "payee", "units", "reason", epoch=pa.int64())
LEAVES: Final = _schema("address", "cumulative_units", kind=pa.int8())
CHARGES: Final = _schema("request_hash", "account", "units", "state", "reason", epoch=pa.int64())


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
        "charges.parquet": rows_table(
            CHARGES, ((*c[:3], str(c.units), c.state.value, c.reason) for c in computed.charges)
        ),
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
