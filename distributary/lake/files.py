"""Writing Parquet so that it survives a crash, and naming where it stands."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from distributary.datanets.durable import make_folder, sync_folder
from distributary.lake.csv import logical_digest

# Fixed, since a canonical file is compared byte by byte.
PARQUET: Final = {
    "compression": "zstd",
    "compression_level": 3,
    # Holds some 60,000 hashes: a row group names fewer documents, and names each many times.
    "dictionary_pagesize_limit": 2**22,
    "version": "2.6",
    "data_page_version": "1.0",
    "write_statistics": True,
    "store_schema": False,
}
ROW_GROUP_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A Parquet file as recorded: its name, rows, length, hash of the bytes and of the rows."""

    name: str
    rows: int
    size_bytes: int
    sha256: bytes
    digest: bytes


def answers_path(lake: Path, epoch: int, file: str) -> Path:
    """The Parquet file of one committed bundle."""
    return lake / "answers" / f"{epoch:08d}" / f"{file}.parquet"


def epoch_folder(lake: Path, epoch: int) -> Path:
    """Where the canonical files and the manifest of a closed epoch stand."""
    return lake / "epochs" / f"{epoch:08d}"


def manifest_path(lake: Path, epoch: int) -> Path:
    """The answers manifest of a closed epoch."""
    return epoch_folder(lake, epoch) / "answers-manifest.json"


def write_answers(path: Path, table: pa.Table) -> LakeFile:
    """Writes the rows of one bundle; when this returns they survive a crash.

    Raises:
        OSError: the disk is full, the folder read-only, …; nothing is left under that name.
    """
    size, sha256 = write_parquet(path, table)
    return LakeFile(path.stem, table.num_rows, size, sha256, logical_digest(table))


def write_parquet(path: Path, table: pa.Table) -> tuple[int, bytes]:
    """Writes a table durably; returns the file's length and SHA-256.

    Raises:
        OSError: as for `write_answers`.
    """
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=ROW_GROUP_ROWS, **PARQUET)
    data = sink.getvalue()
    make_folder(path.parent)
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return len(data), hashlib.sha256(data).digest()


def file_sha256(path: Path) -> bytes:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
