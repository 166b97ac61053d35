"""The one transaction of the attribution job: everything of a bundle, or nothing."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.errors import DistributaryError
from distributary.lake.files import LakeFile, answers_path, write_answers
from distributary.lake.schema import ANSWERS, answers_table
from distributary.lake.texts import write_texts
from distributary.recording.judging import DETAIL_CHARACTERS_MAX
from distributary.recording.records import Bundle, Lane, Quarantined, Row, SetAside, Weighed
from distributary.store.copying import copy_answers, copy_attributions
from distributary.store.fence import OpenEpoch, enter_open_epoch
from distributary.store.lanes import advance_lane, lock_lane
from distributary.store.purchases import take_purchases
from distributary.store.quarantine import quarantine

log = logging.getLogger(__name__)

# What a value of one row can cause: in Arrow while it is converted, in Postgres when copied.
UNSTORABLE: Final = (
    psycopg.DataError,
    psycopg.IntegrityError,
    pa.ArrowInvalid,
    pa.ArrowTypeError,
    UnicodeError,
    OverflowError,
    KeyError,
)


class MethodChangedError(DistributaryError):
    """The open epoch wants weights of another method version; they are made again."""

    code = "method_changed"


@dataclass(frozen=True, slots=True)
class Committed:
    """What a bundle became.

    Attributes:
        epoch: the epoch it went into.
        file: its Parquet file.
        counts: records by outcome, uncharged ones by reason, quarantined ones by reason.
    """

    epoch: int
    file: LakeFile
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Stored:
    """Rows of a bundle that Postgres took, as objects and as tables, and those it did not."""

    rows: list[Row]
    tables: list[pa.Table]
    set_aside: list[Quarantined]

    def __add__(self, later: "_Stored") -> "_Stored":
        return _Stored(
            self.rows + later.rows,
            self.tables + later.tables,
            self.set_aside + later.set_aside,
        )


@dataclass(frozen=True)
class Committer:
    """Commits bundles into Postgres and the lake.

    Attributes:
        lake: the lake folder.
        ids: document numbers by hash, those of the bundle's weights included.
        new_name: gives a name that no file had before.
    """

    lake: Path
    ids: Mapping[str, int]
    new_name: Callable[[], str]

    def commit(self, connection: Connection[TupleRow], bundle: Bundle) -> Committed:
        """Stores a bundle and moves its lane, in one transaction.

        Raises:
            SupersededError, MovedError, CommittedError: see `lock_lane`.
            MethodChangedError: the weights must be made again.
            OSError: the lake cannot be written.
            psycopg.Error: Postgres failed; unless the connection was lost while it committed,
                nothing was stored.
        """
        lane = bundle.batch.lane
        with connection.transaction():
            epoch = enter_open_epoch(connection)
            _check_method(bundle, epoch)
            lock_lane(connection, bundle.batch)
            stored = self._store(connection, epoch.epoch, lane, bundle.weighed)
            set_aside = sorted(
                (*bundle.quarantined, *stored.set_aside), key=lambda each: each.record.offset
            )
            quarantine(connection, epoch.epoch, lane, set_aside)
            file = self._write(connection, epoch.epoch, bundle, stored)
            _add_charges(connection, lane, stored.rows)
            advance_lane(connection, bundle.batch)
        _log_set_aside(epoch.epoch, lane, set_aside)
        return Committed(epoch.epoch, file, _counts(stored.rows, set_aside))

    def _store(
        self, connection: Connection[TupleRow], epoch: int, lane: Lane, weighed: Sequence[Weighed]
    ) -> _Stored:
        """Stores what can be stored; halves a part that cannot, down to the single row."""
        if not weighed:
            return _Stored([], [], [])
        try:
            with connection.transaction():
                return self._copy(connection, epoch, lane, weighed)
        except UNSTORABLE as error:
            if len(weighed) == 1:
                detail = f"{type(error).__name__}: {error}"[:DETAIL_CHARACTERS_MAX]
                record = weighed[0].judged.record
                return _Stored([], [], [Quarantined(record, SetAside.NOT_STORABLE, detail)])
        middle = len(weighed) // 2
        return self._store(connection, epoch, lane, weighed[:middle]) + self._store(
            connection, epoch, lane, weighed[middle:]
        )

    def _copy(
        self, connection: Connection[TupleRow], epoch: int, lane: Lane, weighed: Sequence[Weighed]
    ) -> _Stored:
        rows = take_purchases(connection, epoch, lane, weighed)
        table = answers_table(lane.topic_id, lane.partition, rows)
        key = (epoch, lane.topic, lane.partition)
        copy_answers(connection, table, key)
        copy_attributions(connection, table, key, self.ids, [row.judged.data_bp for row in rows])
        return _Stored(rows, [table], [])

    def _write(
        self, connection: Connection[TupleRow], epoch: int, bundle: Bundle, stored: _Stored
    ) -> LakeFile:
        """Writes exactly the new rows and records the file; texts go to a file apart."""
        batch, name = bundle.batch, self.new_name()
        lane = batch.lane
        table = pa.concat_tables(stored.tables or [ANSWERS.empty_table()]).combine_chunks()
        file = write_answers(answers_path(self.lake, epoch, name), table)
        write_texts(self.lake, name, lane, stored.rows)
        connection.execute(
            "insert into lake_files values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(name, epoch, lane.topic, lane.partition, batch.from_offset, batch.to_offset),
                *(len(batch.records), file.rows, file.size_bytes, file.sha256, file.digest),
            ),
        )
        return file


def _check_method(bundle: Bundle, epoch: OpenEpoch) -> None:
    methods = {each.weights.method for each in bundle.weighed if each.weights is not None}
    if methods - {epoch.method}:
        raise MethodChangedError("Weights are made again by another method.", value=epoch.method)


def _add_charges(connection: Connection[TupleRow], lane: Lane, rows: Sequence[Row]) -> None:
    """Adds to the running sums, accounts in order, so that two writers never wait in a circle."""
    sums: dict[str, int] = {}
    for row in rows:
        if row.charge_units:
            account = row.judged.answer.account
            sums[account] = sums.get(account, 0) + row.charge_units
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into account_charge_sums as sums values (%s, %s, %s, %s)
            on conflict (account, topic, partition)
            do update set charged_units = sums.charged_units + excluded.charged_units
            """,
            [(account, lane.topic, lane.partition, sums[account]) for account in sorted(sums)],
        )


def _log_set_aside(epoch: int, lane: Lane, set_aside: Sequence[Quarantined]) -> None:
    """Names each by coordinates and reason; a detail may quote what a customer wrote."""
    for each in set_aside:
        log.warning(
            {
                "msg": "answer set aside",
                "epoch": epoch,
                "topic_id": lane.topic_id,
                "partition": lane.partition,
                "offset": each.record.offset,
                "reason": each.reason.value,
            }
        )


def _counts(rows: Sequence[Row], set_aside: Sequence[Quarantined]) -> Mapping[str, int]:
    counts = Counter(row.reason or row.outcome.value for row in rows)
    return counts + Counter(each.reason.value for each in set_aside)
