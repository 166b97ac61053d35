"""A closed epoch as canonical Parquet: the same rows give the same bytes, however they arrived."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from distributary.canonical import sha256_hex
from distributary.datanets.durable import make_folder, sync_file, sync_folder
from distributary.errors import DistributaryError
from distributary.lake.csv import LogicalDigest
from distributary.lake.files import PARQUET, ROW_GROUP_ROWS, LakeFile, answers_path, file_sha256
from distributary.lake.schema import ANSWERS

QUARANTINE = pa.schema(
    [
        ("topic_id", pa.string()),
        ("partition", pa.int32()),
        ("answer_offset", pa.int64()),
        ("reason", pa.string()),
        ("value_bytes", pa.int64()),
        ("value_sha256", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A committed file as recorded: its name, and the SHA-256 of its bytes."""

    file: str
    sha256: bytes


def read_bundle(lake: Path, epoch: int, expected: Expected) -> pa.Table:
    """Reads one committed file and checks it against what was recorded.

    Raises:
        DistributaryError: `lake_file_damaged`: it is missing or another one.
    """
    import pyarrow.parquet as pq

    path = answers_path(lake, epoch, expected.file)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    if sha256_hex(data) != expected.sha256.hex():
        raise DistributaryError(
            "A committed Parquet file is missing or damaged: restore it from a backup.",
            value=str(path),
            code="lake_file_damaged",
        )
    return pq.read_table(io.BytesIO(data), schema=ANSWERS)


def compact(lake: Path, epoch: int, files: Iterable[Expected], target: Path) -> LakeFile:
    """Writes the rows of one partition, in offset order, into one canonical file.

    Memory holds one row group and one bundle. The rows are cut into row groups by their number
    alone, so where bundles were cut leaves no trace.

    Args:
        lake: the lake folder.
        epoch: the epoch.
        files: the committed files of the partition, in offset order.
        target: replaced atomically.

    Raises:
        DistributaryError: `lake_file_damaged`; `rows_out_of_order`.
    """
    digest = LogicalDigest()
    tables = _ordered(read_bundle(lake, epoch, file) for file in files)
    rows = _write(target, ANSWERS, _row_groups(tables, digest))
    return LakeFile(target.name, rows, target.stat().st_size, file_sha256(target), digest.digest())


def write_quarantine(target: Path, rows: Sequence[tuple[Any, ...]]) -> LakeFile:
    """Writes the records set aside, in the order given; the digest is that of the bytes."""
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, QUARANTINE, strict=True)]
    _write(target, QUARANTINE, [pa.Table.from_arrays(arrays, schema=QUARANTINE)])
    sha256 = file_sha256(target)
    return LakeFile(target.name, len(rows), target.stat().st_size, sha256, sha256)


def _ordered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    last = -1
    for table in tables:
        offsets = table["answer_offset"].to_pylist()
        if any(b <= a for a, b in zip([last, *offsets], offsets, strict=False)):
            raise DistributaryError(
                "Committed files of one partition overlap.", value=last, code="rows_out_of_order"
            )
        last = offsets[-1] if offsets else last
        yield table


def _row_groups(tables: Iterable[pa.Table], digest: LogicalDigest) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        digest.add(table)
        waiting.append(table)
        count += table.num_rows
        while count >= ROW_GROUP_ROWS:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, ROW_GROUP_ROWS).combine_chunks()
            waiting, count = [joined.slice(ROW_GROUP_ROWS)], count - ROW_GROUP_ROWS
    if count:
        yield pa.concat_tables(waiting).combine_chunks()


def _write(target: Path, schema: pa.Schema, groups: Iterable[pa.Table]) -> int:
    import pyarrow.parquet as pq

    make_folder(target.parent)
    temporary = target.with_name(f".{target.name}")
    rows = 0
    with pq.ParquetWriter(temporary, schema, **PARQUET) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            rows += group.num_rows
    sync_file(temporary)
    temporary.replace(target)
    sync_folder(target.parent)
    return rows
