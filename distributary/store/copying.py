"""COPY into Postgres, from the same Arrow tables as Parquet."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from distributary.lake.csv import csv_bytes
from distributary.lake.schema import HEX_COLUMNS, SCALARS, attributions_table

# The epoch has the method; the lane has the short key for the topic id.
_NOT_COPIED: Final = ("topic_id", "partition", "method")
_COPIED: Final = [name for name in SCALARS if name not in _NOT_COPIED]


def copy_answers(
    connection: Connection[TupleRow], answers: pa.Table, key: tuple[int, int, int]
) -> None:
    """Copies rows of the settlement Parquet; `key` is (epoch, topic, partition)."""
    columns = {name: _bytea(answers[name], name) for name in _COPIED}
    _copy(connection, "answers", pa.table(_constant(key, answers.num_rows) | columns))


def copy_attributions(
    connection: Connection[TupleRow],
    answers: pa.Table,
    key: tuple[int, int, int],
    ids: Mapping[str, int],
    data_bp: Sequence[int],
) -> None:
    """Copies the weights of the answers, documents by their number in `ids`.

    What a weight is worth stands beside it: the charge, and basis points of it for data, one of
    `data_bp` for each answer.
    """
    rows = attributions_table(answers)
    if rows.num_rows == 0:
        return
    parents = pc.list_parent_indices(answers["documents"].combine_chunks())
    numbers = pa.array([ids[hash_] for hash_ in rows["document"].to_pylist()], pa.int64())
    columns: dict[str, Any] = {
        "answer_offset": rows["answer_offset"],
        "document_id": numbers,
        "weight": rows["weight"],
        "charge_units": rows["charge_units"],
        "data_bp": pa.array(data_bp, pa.int64()).take(parents),
    }
    _copy(connection, "attributions", pa.table(_constant(key, rows.num_rows) | columns))


def _constant(key: tuple[int, int, int], rows: int) -> dict[str, Any]:
    names = ("epoch", "topic", "partition")
    return {
        name: pa.repeat(pa.scalar(value, pa.int64()), rows)
        for name, value in zip(names, key, strict=True)
    }


def _bytea(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Postgres' text form of bytes, where the column is hex."""
    if name not in HEX_COLUMNS:
        return column
    return pc.binary_join_element_wise(pa.scalar("\\x"), column, pa.scalar(""))


def _copy(connection: Connection[TupleRow], table: str, rows: pa.Table) -> None:
    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(csv_bytes(rows))
