"""The inputs of a posting in Postgres, where dbt reads them, and the leaves that became active.

The same content as the hashed files of the posting's folder; append-only, kept by triggers.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from distributary.errors import DistributaryError
from distributary.lake.schema import HEX_COLUMNS
from distributary.rewards.inputs import CARRIED, Inputs
from distributary.rewards.leaves import Leaf
from distributary.rewards.manifest import SettlementManifest
from distributary.rewards.posting import Posting
from distributary.rules import ROLES, Rule, load_catalogue
from distributary.rules.payout import PayoutRule, load_payouts

_SPLIT_COLUMNS: Final = ("split_hash", "valid_from_ms", *(f"{role}_bp" for role in ROLES))
_PAYOUT_COLUMNS: Final = (
    *("payout_hash", "valid_from_epoch", "write_off_epochs", "ledger_accounts", "reasons"),
)
_COLUMNS: Final = {
    "in_epochs": ("epoch", "cut_block", "manifest_hash"),
    "in_accounts": ("account", "deposited_units", "withdrawn_units", "freeze_block"),
    "in_bindings": ("owner", "payee"),
    "in_assets": ("role", "asset", "owner"),
    "in_active_leaves": ("kind", "address", "cumulative_units"),
    "in_carried": tuple(CARRIED.names),
    "in_unclaimed": ("owner", "units"),
    "in_corrections": ("epoch", "kind", "request_hash", "account", "payee", "units", "reason"),
}


def write_posting(connection: Connection[TupleRow], posting_id: int, posting: Posting) -> None:
    """Writes a posting's inputs and rules in one transaction; does nothing if they are there.

    Args:
        connection: of the settlement role.
        posting_id: a number above every earlier posting's; attempts have numbers of their own.
        posting: what `distributary.rewards.posting.open_posting` read and checked.

    Raises:
        DistributaryError: `posting_differs`: the number, or these epochs and attempt, stand for
            another manifest.
    """
    manifest = posting.manifest
    splits = [posting.splits.by_hash(stamp) for stamp in manifest.rule_hashes("splits")]
    with connection.transaction():
        write_rules(connection, [rule for rule in splits if rule], posting.payouts)
        if _insert_posting(connection, posting_id, manifest):
            for table, rows in _rows(manifest, posting.inputs).items():
                _copy(connection, table, posting_id, rows)


def write_rules(
    connection: Connection[TupleRow],
    splits: Iterable[Rule] | None = None,
    payouts: Iterable[PayoutRule] | None = None,
) -> None:
    """Adds rules that are not there yet, by default those of the installed catalogue."""
    if splits is None:
        splits = load_catalogue("splits").rules
    _insert_new(
        connection,
        "splits",
        _SPLIT_COLUMNS,
        [
            (bytes.fromhex(r.hash), r.valid_from_ms, *(r.content[role] for role in ROLES))
            for r in splits
        ],
    )
    _insert_new(
        connection,
        "payouts",
        _PAYOUT_COLUMNS,
        [
            (bytes.fromhex(r.hash), r.valid_from_epoch, r.write_off_epochs,
             Jsonb(r.ledger_accounts), Jsonb(r.reasons))
            for r in (load_payouts() if payouts is None else payouts)
        ],
    )  # fmt: skip


def post_leaves(connection: Connection[TupleRow], posting_id: int, leaves: Sequence[Leaf]) -> None:
    """Adds all leaves of a posting that became active; does nothing if they are there.

    Raises:
        DistributaryError: `posting_differs`: other leaves stand there.
        psycopg.errors.RestrictViolation: a leaf would shrink, or a later posting is active.
    """
    rows = sorted(leaves)
    with connection.transaction():
        connection.execute("set local synchronous_commit = on")
        posted = connection.execute(
            """
            select kind, address, cumulative_units from settlement.posted_leaves
            where posting_id = %s order by kind, address collate "C"
            """,
            (posting_id,),
        ).fetchall()
        if not posted:
            _copy_rows(
                connection,
                "posted_leaves",
                ("posting_id", "kind", "address", "cumulative_units"),
                ((posting_id, *leaf) for leaf in rows),
            )
        elif posted != rows:
            raise _differs(posting_id, "its posted leaves are others")


def read_posted_leaves(connection: Connection[TupleRow]) -> tuple[int | None, list[Leaf]]:
    """The newest posting with posted leaves, None if there is none, and these leaves in order."""
    rows = connection.execute(
        """
        select posting_id, kind, address, cumulative_units from settlement.posted_leaves
        where posting_id = (select max(posting_id) from settlement.posted_leaves)
        order by kind, address collate "C"
        """
    ).fetchall()
    leaves = [Leaf(kind, address, int(units)) for _, kind, address, units in rows]
    return (rows[0][0] if rows else None), leaves


def _insert_posting(
    connection: Connection[TupleRow], posting_id: int, manifest: SettlementManifest
) -> bool:
    """Whether the posting is new."""
    attempt = (manifest.from_epoch, manifest.to_epoch, manifest.attempt)
    hash_ = bytes.fromhex(manifest.hash)
    inserted = connection.execute(
        """
        insert into settlement.postings_in (posting_id, from_epoch, to_epoch, attempt,
            pinned_block, grace_blocks, previous_cut_block, manifest_hash)
        values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
        """,
        (
            *(posting_id, *attempt, manifest.pinned_block, manifest.grace_blocks),
            *(manifest.previous_cut_block, hash_),
        ),
    )
    if inserted.rowcount:
        return True
    same = connection.execute(
        "select from settlement.postings_in where posting_id = %s and manifest_hash = %s",
        (posting_id, hash_),
    )
    if same.fetchone() is None:
        raise _differs(posting_id, "it has another manifest")
    return False


def _rows(manifest: SettlementManifest, inputs: Inputs) -> dict[str, Iterable[tuple[Any, ...]]]:
    return {
        "in_epochs": ((e.epoch, e.cut_block, bytes.fromhex(e.manifest)) for e in manifest.epochs),
        "in_accounts": ((account, *funds) for account, funds in inputs.accounts.items()),
        "in_bindings": inputs.bindings.items(),
        "in_assets": ((*key, owner) for key, owner in inputs.assets.items()),
        "in_active_leaves": ((*key, units) for key, units in inputs.active_leaves.items()),
        "in_carried": _carried_rows(inputs),
        "in_unclaimed": inputs.unclaimed.items(),
        "in_corrections": (
            each._replace(request_hash=bytes.fromhex(each.request_hash))  # type: ignore[arg-type]
            for each in inputs.corrections
        ),
    }


def _carried_rows(inputs: Inputs) -> Iterable[tuple[Any, ...]]:
    columns = [
        [None if value is None else bytes.fromhex(value) for value in column.to_pylist()]
        if name in HEX_COLUMNS
        else column.to_pylist()
        for name, column in zip(CARRIED.names, inputs.carried.columns, strict=True)
    ]
    return zip(*columns, strict=True)


def _copy(
    connection: Connection[TupleRow], table: str, posting_id: int, rows: Iterable[tuple[Any, ...]]
) -> None:
    columns = ("posting_id", *_COLUMNS[table])
    _copy_rows(connection, table, columns, ((posting_id, *row) for row in rows))


def _copy_rows(
    connection: Connection[TupleRow],
    table: str,
    columns: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
) -> None:
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier("settlement", table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _insert_new(
    connection: Connection[TupleRow],
    table: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    statement = sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
        sql.Identifier("settlement", table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def _differs(posting_id: int, what: str) -> DistributaryError:
    return DistributaryError(
        f"The posting was written before, but {what}: use a new number and attempt.",
        value=posting_id,
        code="posting_differs",
    )
