"""Epochs in Postgres: a closed set of committed answer records, fixed by offset ranges."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from distributary.errors import DistributaryError, InputError
from distributary.lake.files import LakeFile

# Any number that nothing else in this database takes an advisory lock on.
CLOSING_LOCK: Final = 7_310_003


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch; `manifest_hash` is there once it is closed, `cut_block` where there is a chain."""

    epoch: int
    state: str
    method: str
    opened_at: datetime
    closed_at: datetime | None
    manifest_hash: str | None
    cut_block: int | None


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets `from_offset..to_offset - 1` of one partition; `topic` is its short key."""

    topic: int
    topic_id: str
    partition: int
    from_offset: int
    to_offset: int


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A committed Parquet file, with the offsets it stands for."""

    file: str
    topic: int
    partition: int
    from_offset: int
    to_offset: int
    records: int
    rows: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many records of an epoch came out so; `reason` is None where there is none."""

    outcome: str
    reason: str | None
    records: int
    charge_units: int


_EPOCH = """
    select epoch, state, method, opened_at, closed_at, encode(manifest_hash, 'hex') manifest_hash,
        cut_block
    from epochs
"""


def list_epochs(connection: Connection[TupleRow]) -> list[Epoch]:
    """All epochs, the oldest first."""
    with connection.cursor(row_factory=class_row(Epoch)) as cursor:
        return cursor.execute(f"{_EPOCH} order by epoch").fetchall()


def find_epoch(connection: Connection[TupleRow], epoch: int) -> Epoch:
    """One epoch.

    Raises:
        InputError: `unknown_epoch`.
    """
    with connection.cursor(row_factory=class_row(Epoch)) as cursor:
        found = cursor.execute(f"{_EPOCH} where epoch = %s", (epoch,)).fetchone()
    if found is None:
        raise InputError(
            "There is no such epoch: see `distributary epoch list`.",
            value=epoch,
            code="unknown_epoch",
        )
    return found


def open_epoch(connection: Connection[TupleRow], method: str) -> int:
    """Opens the next epoch, with the method version that its weights must have."""
    return int(_one(connection, "select open_epoch(%s)", (method,)))


def begin_closing(
    connection: Connection[TupleRow], epoch: int, cut_block: int | None = None
) -> None:
    """Fixes offset ranges and cut block of the open epoch, and refuses any row from now on."""
    connection.execute("select begin_closing_epoch(%s, %s)", (epoch, cut_block))


def finish_closing(
    connection: Connection[TupleRow], epoch: int, files: Sequence[LakeFile], manifest_hash: bytes
) -> None:
    """Records the canonical files and the manifest; the epoch is closed with this."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into epoch_files values (%s, %s, %s, %s, %s, %s)",
            [(epoch, f.name, f.rows, f.size_bytes, f.sha256, f.digest) for f in files],
        )
    connection.execute(
        "update epochs set state = 'closed', manifest_hash = %s where epoch = %s",
        (manifest_hash, epoch),
    )


def read_ranges(connection: Connection[TupleRow], epoch: int) -> list[OffsetRange]:
    """The offset ranges, in order of topic id and partition; of an open epoch as they stand now."""
    with connection.cursor(row_factory=class_row(OffsetRange)) as cursor:
        return cursor.execute(
            """
            select topic, topic_id, partition, from_offset, to_offset
            from epoch_ranges join topics using (topic) where epoch = %(epoch)s
            union all
            select topic, topic_id, partition,
                coalesce((select max(r.to_offset) from epoch_ranges r
                    where (r.topic, r.partition) = (c.topic, c.partition)), first_offset),
                next_offset
            from consumed c join topics using (topic)
            where exists (select from epochs where epoch = %(epoch)s and state = 'open')
            order by topic_id, partition
            """,
            {"epoch": epoch},
        ).fetchall()


def read_files(connection: Connection[TupleRow], epoch: int) -> list[BundleFile]:
    """The committed files, in order of topic, partition and offset."""
    with connection.cursor(row_factory=class_row(BundleFile)) as cursor:
        return cursor.execute(
            """
            select file, topic, partition, from_offset, to_offset, records, rows, sha256
            from lake_files where epoch = %s order by topic, partition, from_offset
            """,
            (epoch,),
        ).fetchall()


def read_counts(connection: Connection[TupleRow], epoch: int) -> list[OutcomeCount]:
    """Records by outcome and reason, quarantined ones included, in a fixed order."""
    with connection.cursor(row_factory=class_row(OutcomeCount)) as cursor:
        return cursor.execute(
            """
            select outcome, reason, count(*) as records, sum(charge_units)::numeric as charge_units
            from answers where epoch = %(epoch)s group by outcome, reason
            union all
            select 'quarantined', reason, count(*), 0
            from quarantine where epoch = %(epoch)s group by reason
            order by outcome, reason
            """,
            {"epoch": epoch},
        ).fetchall()


def count_conflicts(connection: Connection[TupleRow], epoch: int) -> int:
    """Identities that were charged for more than one request hash: each was signed for."""
    statement = """
        select count(*) from (
            select from answers where epoch = %s and outcome = 'charged'
            group by account, source, id having count(*) > 1
        ) conflicts
    """
    return int(_one(connection, statement, (epoch,)))


def read_quarantine(connection: Connection[TupleRow], epoch: int) -> list[tuple[Any, ...]]:
    """Topic id, partition, offset, reason, length and hash of what was set aside, in order."""
    return connection.execute(
        """
        select topic_id, partition, answer_offset, reason, value_bytes, encode(value_sha256, 'hex')
        from quarantine join topics using (topic) where epoch = %s
        order by topic_id, partition, answer_offset
        """,
        (epoch,),
    ).fetchall()


def lock_closing(connection: Connection[TupleRow]) -> None:
    """Waits until nobody else closes an epoch; held until the connection ends."""
    connection.execute("select pg_advisory_lock(%s)", (CLOSING_LOCK,))


def _one(connection: Connection[TupleRow], statement: str, values: tuple[Any, ...]) -> Any:
    row = connection.execute(statement, values).fetchone()
    if row is None:
        raise DistributaryError("Postgres returned no row.", value=statement)
    return row[0]
