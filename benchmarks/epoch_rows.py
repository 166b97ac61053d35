"""One epoch of made-up answers and attributions, and the inputs of a posting over it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from distributary.lake.csv import csv_bytes
from distributary.rules import Rule, data_share_bp, load_catalogue

WEIGHTS = (300_000_000, 200_000_000, 150_000_000, 100_000_000, 50_000_000, 50_000_000,
           30_000_000, 20_000_000)  # fmt: skip
EPOCH = 2  # opened and filled in one transaction: Postgres then takes rows as if vacuumed
ACCOUNTS = 1_000
OWNERS = 1_000
CHARGE_UNITS = 1_000_000_000_000
CHUNK = 50_000  # answers in one piece of a COPY

SETUP = (
    "insert into topics (topic_id, name) values ('t', 'inference.answers')",
    "insert into owners (label) select 'owner ' || n from generate_series(1, %(owners)s) n",
    """
    insert into documents (document, owner_id, bytes, title)
    select encode(sha256(int4send(n)), 'hex'), n %% %(owners)s + 1, 1000, ''
    from generate_series(1, %(documents)s) n
    """,
)
INPUTS = (
    """
    insert into settlement.postings_in (posting_id, from_epoch, to_epoch, attempt, pinned_block,
        grace_blocks, manifest_hash)
    values (1, %(epoch)s, %(epoch)s, 1, 10, 0, sha256('1'))
    """,
    "insert into settlement.in_epochs values (1, %(epoch)s, 5, sha256('1'))",
    """
    insert into settlement.in_accounts
    select 1, '0x' || lpad(to_hex(n), 40, '0'),
        case when n %% 100 = 0 then %(units)s * %(answers)s / %(accounts)s / 2
            else %(units)s::numeric * %(answers)s end, 0, null
    from generate_series(0, %(accounts)s - 1) n
    """,
    """
    insert into settlement.in_bindings
    select 1, 'owner ' || n, '0x' || lpad(to_hex(n), 40, 'f')
    from generate_series(1, %(owners)s) n where n %% 10 > 0
    """,
    """
    insert into settlement.in_assets
    select 1, 'data', document, 'owner ' || owner_id from documents
    union all select 1, 'model', 'model ' || n, 'owner 1' from generate_series(0, 2) n
    union all select 1, 'node', 'node ' || n, 'owner ' || n from generate_series(0, 19) n
    """,
)


@dataclass(frozen=True)
class EpochRows:
    """How many rows: `answers`, with eight attribution rows each, over `documents`."""

    answers: int
    documents: int


def load_epoch(dsn: str, rows: EpochRows) -> None:
    """Writes the rows of one epoch and the inputs of a posting over it, by COPY."""
    split = load_catalogue("splits").rules[0]
    values = {
        "answers": rows.answers,
        "documents": rows.documents,
        "accounts": ACCOUNTS,
        "owners": OWNERS,
        "units": CHARGE_UNITS,
        "epoch": EPOCH,
    }
    with psycopg.connect(dsn) as connection:
        for statement in SETUP:
            connection.execute(statement, values)
        connection.execute("select begin_closing_epoch(%s)", (EPOCH - 1,))
        connection.execute("select open_epoch('benchmark')")
        for table, make in (("answers", _answers), ("attributions", _attributions)):
            _copy(connection, f"{table}_{EPOCH}", (make(n, rows, split) for n in _chunks(rows)))
        for statement in INPUTS:
            connection.execute(statement, values)
    with psycopg.connect(dsn, autocommit=True) as connection:
        # As autovacuum has done by the time that an epoch is closed.
        connection.execute("analyze")


def _chunks(rows: EpochRows) -> Iterator[np.ndarray[Any, Any]]:
    bounds = [*range(0, rows.answers, CHUNK), rows.answers]
    return (np.arange(a, b, dtype=np.int64) for a, b in pairwise(bounds))


def _copy(connection: psycopg.Connection[Any], table: str, parts: Iterable[pa.Table]) -> None:
    """Copies rows that are frozen from the start, which only a new table can take."""
    parts = iter(parts)
    first = next(parts)
    statement = sql.SQL("copy {} ({}) from stdin with (format csv, freeze)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, first.column_names))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(csv_bytes(first))
        for part in parts:
            copy.write(csv_bytes(part))


def _answers(n: np.ndarray[Any, Any], _rows: EpochRows, split: Rule) -> pa.Table:
    """One executed and charged answer for each number."""
    adapters = pa.array(np.where(n % 10 == 0, 0, 1), mask=n % 10 != 0)
    columns = {
        "partition": n % 4,
        "answer_offset": n,
        "answered_at_ms": n,
        "charge_units": CHARGE_UNITS + n % 1000003,
        "request_offset": n,
        "admitted_at_ms": n,
        "account": _named(lambda number: f"0x{number:040x}", ACCOUNTS, n),
        "id": pc.cast(pa.array(n), pa.string()),
        "request_hash": pa.array(
            "\\x" + sha256(number.to_bytes(8)).hexdigest() for number in n.tolist()
        ),
        "model": _named(lambda number: f"model {number}", 3, n),
        "adapter": pa.array(["adapter"]).take(adapters),
        "node": _named(lambda number: f"node {number}", 20, n),
        "datanet": _named(lambda number: f"net {number}", 5, n),
    }
    same = {
        "epoch": EPOCH,
        "topic": 1,
        "status": "executed",
        "outcome": "charged",
        "request_topic_id": "r",
        "request_partition": 0,
        "source": "s",
        "body_hash": "\\x" + "00" * 32,
        "key": "\\x" + "00" * 32,
        "signature": "\\x" + "00" * 64,
        "model_version": "1",
        "split_hash": f"\\x{split.hash}",
        "commons": 10**9 - sum(WEIGHTS),
    }
    return pa.table(columns | {name: pa.repeat(value, len(n)) for name, value in same.items()})


def _attributions(n: np.ndarray[Any, Any], rows: EpochRows, split: Rule) -> pa.Table:
    """Eight documents for each number."""
    of_answer = np.repeat(n, len(WEIGHTS))
    place = np.tile(np.arange(1, len(WEIGHTS) + 1), len(n))
    adapter_bp, other_bp = (data_share_bp(split.content, name, None) for name in ("adapter", None))
    columns = {
        "partition": of_answer % 4,
        "answer_offset": of_answer,
        "document_id": (of_answer * 7919 + place * 104729 * (of_answer % 13 + 1)) % rows.documents
        + 1,
        "weight": np.tile(WEIGHTS, len(n)),
        "charge_units": CHARGE_UNITS + of_answer % 1000003,
        "data_bp": np.where(of_answer % 10 == 0, adapter_bp, other_bp),
    }
    same = {"epoch": EPOCH, "topic": 1}
    repeated = {name: pa.repeat(value, len(of_answer)) for name, value in same.items()}
    return pa.table(columns | repeated)


def _named(name: Callable[[int], str], count: int, n: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array([name(number) for number in range(count)]).take(pa.array(n % count))
