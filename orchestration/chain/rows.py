"""Blocks and events in Postgres; every change is one transaction of the caller's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from distributary.errors import UnavailableError
from distributary.store.places import take_place
from orchestration.chain.client import Block
from orchestration.chain.errors import ChainStopError, wrong_chain, wrong_contract
from orchestration.chain.events import ChainEvent

# docs/reference.md lists all advisory locks; a test holds them apart.
INDEXER_LOCK: Final = 7_310_005

Database = Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contract whose events are indexed."""

    chain_id: int
    contract: str
    token: str
    deployed_block: int
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the indexer is; `head_at_s` is the time of the head, `seen_at_s` of the look."""

    indexed_block: int
    finalized_block: int
    head_block: int
    head_at_s: int
    seen_at_s: int


def try_lock(connection: Database) -> bool:
    """Takes the indexer's place, for as long as the connection lives; False if it is taken."""
    return take_place(connection, INDEXER_LOCK)


def keep_deployment(connection: Database, found: Deployment) -> None:
    """Records the contract, or holds it against what was recorded.

    Raises:
        ChainStopError: `wrong_chain`, `wrong_contract`: this database belongs to another.
    """
    connection.execute(
        """
        insert into chain_contract (chain_id, contract, token, deployed_block, code_hash)
        values (%s, %s, %s, %s, %s) on conflict do nothing
        """,
        (found.chain_id, found.contract, found.token, found.deployed_block, found.code_hash),
    )
    kept = read_deployment(connection)
    if kept is None or kept.chain_id != found.chain_id:
        raise wrong_chain(found.chain_id, kept.chain_id if kept else 0)
    if (kept.contract, kept.token, kept.code_hash) != (
        found.contract,
        found.token,
        found.code_hash,
    ):
        raise wrong_contract("This database was filled from another contract", kept.contract)


def read_deployment(connection: Database) -> Deployment | None:
    """The contract recorded, or None."""
    with connection.cursor(row_factory=class_row(Deployment)) as cursor:
        return cursor.execute(
            "select chain_id, contract, token, deployed_block, code_hash from chain_contract"
        ).fetchone()


def read_progress(connection: Database) -> Progress | None:
    """How far the indexer is, or None before its first block."""
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(
            """
            select indexed_block, finalized_block, head_block, head_at_s, seen_at_s
            from chain_progress
            """
        ).fetchone()


def cut_block(connection: Database) -> int | None:
    """The last finalized block that is indexed, or None without a chain."""
    progress = read_progress(connection)
    return None if progress is None else progress.finalized_block


def require_cut_block(connection: Database) -> int:
    """As `cut_block`, for an epoch that is to be settled.

    Raises:
        UnavailableError: `not_indexed`: no finalized block is known yet.
    """
    found = cut_block(connection)
    if found is None:
        raise UnavailableError(
            "The chain is not indexed yet, so the epoch has no cut: run `distributary index`.",
            code="not_indexed",
        )
    return found


def last_block(connection: Database, number_max: int) -> Block | None:
    """The stored block with the greatest number up to `number_max`."""
    with connection.cursor(row_factory=class_row(Block)) as cursor:
        return cursor.execute(
            """
            select number, hash, parent_hash, at_s from chain_blocks
            where number <= %s order by number desc limit 1
            """,
            [number_max],
        ).fetchone()


def append(connection: Database, blocks: Sequence[Block], events: Iterable[ChainEvent]) -> None:
    """Adds blocks with their events.

    Raises:
        ChainStopError: `events_missing`: an amount does not follow from those before it.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into chain_blocks (number, hash, parent_hash, at_s) values (%s, %s, %s, %s)",
            [(b.number, b.hash, b.parent_hash, b.at_s) for b in blocks],
        )
    for event in events:
        _check_total(connection, event)
        connection.execute(
            "insert into chain_events values (%s, %s, %s, %s, %s, %s, %s)", _event_row(event)
        )


def _event_row(event: ChainEvent) -> tuple[Any, ...]:
    return (
        *(event.block, event.log_index, event.transaction_hash, event.event, event.account),
        *(event.units, Jsonb(dict(event.data))),
    )


_TOTALS: Final = {
    "Deposited": ("chain_deposits", "total"),
    "Withdrawn": ("chain_withdrawals", "total"),
    "FailSafeWithdrawn": ("chain_withdrawals", "total"),
}


def _check_total(connection: Database, event: ChainEvent) -> None:
    """The contract states the sum with every amount: a node that left a log out is found out."""
    if event.event not in _TOTALS or event.units is None:
        return
    view, total = _TOTALS[event.event]
    row = connection.execute(
        f"select coalesce(sum(units), 0) from {view} where account = %s",  # noqa: S608
        [event.account],
    ).fetchone()
    before = int(row[0]) if row else 0
    if before + event.units != int(event.data[total]):
        raise ChainStopError(
            f"Block {event.block} says a total of {event.data[total]}, and the events before it "
            f"give {before + event.units}: the node left events out; use another node and index "
            "again.",
            value=event.account,
            code="events_missing",
        )


def save_progress(connection: Database, progress: Progress) -> None:
    """Notes how far the indexer is."""
    connection.execute(
        """
        insert into chain_progress (
            indexed_block, finalized_block, head_block, head_at_s, seen_at_s
        ) values (%s, %s, %s, %s, %s)
        on conflict (singleton) do update set
            indexed_block = excluded.indexed_block,
            finalized_block = excluded.finalized_block,
            head_block = excluded.head_block,
            head_at_s = excluded.head_at_s,
            seen_at_s = excluded.seen_at_s
        """,
        (
            *(progress.indexed_block, progress.finalized_block),
            *(progress.head_block, progress.head_at_s, progress.seen_at_s),
        ),
    )


def drop_after(connection: Database, number: int) -> int:
    """Removes the blocks after `number` with their events; how many blocks."""
    return connection.execute("delete from chain_blocks where number > %s", [number]).rowcount
