"""Prompts and answers, apart from the money: they expire, and an account's can be erased."""

import os
import shutil
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa

from distributary.answers import Status
from distributary.datanets.durable import sync_folder
from distributary.lake.files import write_parquet
from distributary.recording.records import Lane, Row

TEXTS: Final = pa.schema(
    [
        ("topic_id", pa.string()),
        ("partition", pa.int32()),
        ("answer_offset", pa.int64()),
        ("account", pa.string()),
        ("prompt", pa.string()),
        ("text", pa.string()),
        ("passages", pa.list_(pa.string())),
    ]
)


def texts_path(lake: Path, day: date, file: str) -> Path:
    """The texts of one committed bundle; the name is that of its settlement Parquet."""
    return lake / "texts" / day.isoformat() / f"{file}.parquet"


def write_texts(lake: Path, file: str, lane: Lane, rows: Sequence[Row]) -> Path | None:
    """Writes the texts of executed answers under the day of the last of them.

    Raises:
        OSError: the lake cannot be written.
    """
    executed = [row.judged for row in rows if row.judged.answer.status is Status.EXECUTED]
    if not executed:
        return None
    answers = [judged.answer for judged in executed]
    columns = [
        [lane.topic_id] * len(executed),
        [lane.partition] * len(executed),
        [judged.record.offset for judged in executed],
        [answer.account for answer in answers],
        [answer.prompt for answer in answers],
        [answer.text for answer in answers],
        [answer.passages for answer in answers],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, TEXTS, strict=True)]
    path = texts_path(lake, _day(max(j.record.answered_at_ms for j in executed)), file)
    write_parquet(path, pa.Table.from_arrays(arrays, schema=TEXTS))
    return path


def _day(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def sweep_texts(lake: Path, now: datetime, retention_s: int) -> list[str]:
    """Deletes whole days older than the retention; returns them."""
    oldest = (now.astimezone(UTC) - timedelta(seconds=retention_s)).date().isoformat()
    folder = lake / "texts"
    expired = sorted(day.name for day in folder.glob("????-??-??") if day.name < oldest)
    for day in expired:
        shutil.rmtree(folder / day, ignore_errors=True)
    if expired:
        sync_folder(folder)
    return expired


def erase_texts(lake: Path, account: str) -> int:
    """Erases an account's prompts and answers from the lake; its money rows stay.

    Safe to repeat. What the account's answers in Kafka hold goes with Kafka's retention; a bundle
    that is committed while this runs may still bring some, so repeat it once that has passed.

    Args:
        lake: the lake folder.
        account: the address, lower case.

    Returns:
        How many answers' texts were erased.
    """
    erased = 0
    for path in sorted((lake / "texts").glob("*/*.parquet")):
        erased += _erase(path, account)
    return erased


def _erase(path: Path, account: str) -> int:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, partitioning=None)
    except FileNotFoundError:
        return 0
    kept = table.filter(pc.not_equal(table["account"], account))
    if kept.num_rows == table.num_rows:
        return 0
    if kept.num_rows == 0:
        path.unlink(missing_ok=True)
    else:
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
        temporary.unlink(missing_ok=True)
        write_parquet(temporary, kept)
        temporary.replace(path)
    sync_folder(path.parent)
    return int(table.num_rows - kept.num_rows)
