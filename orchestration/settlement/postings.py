"""Commits of epochs and postings in Postgres, moved by compare-and-set."""

from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from orchestration.settlement.stops import StopError

Database = Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class EpochCommit:
    """A closed epoch on its way to the chain: closed, committed, audited."""

    epoch: int
    answers_hash: bytes
    cut_block: int
    state: str


@dataclass(frozen=True, slots=True)
class Posted:
    """A posting: computed, sent, active or rejected; amounts in base units."""

    posting_id: int
    from_epoch: int
    to_epoch: int
    attempt: int
    state: str
    parent_root: bytes
    root: bytes
    earned_total_units: int
    charged_total_units: int
    pinned_block: int
    settlement_hash: bytes
    leaves: int

    @property
    def purpose(self) -> str:
        """The purpose of the transaction that posts it."""
        return f"post:{self.posting_id}"


_POSTED: Final = """
    select posting_id, from_epoch, to_epoch, attempt, state, parent_root, root,
        earned_total_units, charged_total_units, pinned_block, settlement_hash, leaves
    from postings
"""


def take_closed_epochs(connection: Database) -> None:
    """Makes a row for every closed epoch with a cut block, in order.

    Epochs before the contract have no cut, and are not settled.
    """
    connection.execute(
        """
        insert into epoch_commits (epoch, answers_hash, cut_block)
        select epoch, manifest_hash, cut_block from epochs
        where state = 'closed' and cut_block is not null
        order by epoch on conflict do nothing
        """
    )


def list_commits(connection: Database, state: str | None = None) -> list[EpochCommit]:
    """Epochs in order, of one state or all."""
    with connection.cursor(row_factory=class_row(EpochCommit)) as cursor:
        return cursor.execute(
            """
            select epoch, answers_hash, cut_block, state from epoch_commits
            where %(state)s::text is null or state = %(state)s order by epoch
            """,
            {"state": state},
        ).fetchall()


def mark_committed(connection: Database, epoch: int, block: int) -> None:
    """The chain holds the commit, in a block that is final.

    Raises:
        StopError: `settler_superseded`.
    """
    _moved(
        connection,
        "update epoch_commits set state = 'committed', committed_block = %s "
        "where epoch = %s and state = 'closed'",
        (block, epoch),
    )


def unposted_epochs(connection: Database) -> list[EpochCommit]:
    """Committed epochs that no active posting covers, in order."""
    with connection.cursor(row_factory=class_row(EpochCommit)) as cursor:
        return cursor.execute(
            """
            select epoch, answers_hash, cut_block, state from epoch_commits
            where state <> 'closed' and epoch > coalesce(
                (select max(to_epoch) from postings where state = 'active'), 0)
            order by epoch
            """
        ).fetchall()


def find_commit(connection: Database, epoch: int) -> EpochCommit | None:
    """One epoch."""
    return next((each for each in list_commits(connection) if each.epoch == epoch), None)


def posting_in_flight(connection: Database) -> Posted | None:
    """The posting that is computed or sent, if any."""
    return _one(connection, "where state in ('computed', 'sent')")


def active_posting(connection: Database) -> Posted | None:
    """The newest active posting."""
    return _one(connection, "where state = 'active' order by to_epoch desc limit 1")


def active_posting_of(connection: Database, epoch: int) -> Posted | None:
    """The first active posting that covers an epoch or later ones."""
    return _one(
        connection, "where state = 'active' and to_epoch >= %s order by from_epoch limit 1", epoch
    )


def rejected_posting(connection: Database, from_epoch: int, attempt: int) -> Posted | None:
    """The posting of a first epoch and attempt, if it was rejected."""
    return _one(
        connection,
        "where state = 'rejected' and from_epoch = %s and attempt = %s",
        *(from_epoch, attempt),
    )


def find_posting(connection: Database, posting_id: int) -> Posted | None:
    """One posting."""
    return _one(connection, "where posting_id = %s", posting_id)


def insert_posting(connection: Database, posting: Posted) -> None:
    """Stores a computed posting, which the gate has passed."""
    connection.execute(
        """
        insert into postings (posting_id, from_epoch, to_epoch, attempt, parent_root, root,
            earned_total_units, charged_total_units, pinned_block, settlement_hash, leaves)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(posting.posting_id, posting.from_epoch, posting.to_epoch, posting.attempt),
            *(posting.parent_root, posting.root, posting.earned_total_units),
            *(posting.charged_total_units, posting.pinned_block, posting.settlement_hash),
            posting.leaves,
        ),
    )


def mark_sent(connection: Database, posting: Posted, block: int) -> None:
    """The chain holds it as pending.

    Raises:
        StopError: `settler_superseded`.
    """
    _moved(
        connection,
        "update postings set state = 'sent', sent_block = %s "
        "where posting_id = %s and state = 'computed'",
        (block, posting.posting_id),
    )


def mark_active(connection: Database, posting: Posted, block: int) -> None:
    """The chain holds it as active.

    Raises:
        StopError: `settler_superseded`.
    """
    _moved(
        connection,
        "update postings set state = 'active', active_block = %s "
        "where posting_id = %s and state = 'sent'",
        (block, posting.posting_id),
    )


def mark_rejected(connection: Database, posting: Posted, reason: str) -> None:
    """It will never be active; its epochs go into the next attempt.

    Raises:
        StopError: `settler_superseded`.
    """
    _moved(
        connection,
        "update postings set state = 'rejected', reason = %s "
        "where posting_id = %s and state in ('computed', 'sent')",
        (reason, posting.posting_id),
    )


def next_attempt(connection: Database, from_epoch: int) -> int:
    """The attempt after the last one of a first epoch; they count from 1."""
    row = connection.execute(
        "select coalesce(max(attempt), 0) + 1 from postings where from_epoch = %s", (from_epoch,)
    ).fetchone()
    return int(row[0]) if row else 1


def _one(connection: Database, where: str, *values: Any) -> Posted | None:
    with connection.cursor(row_factory=class_row(Posted)) as cursor:
        found = cursor.execute(f"{_POSTED} {where}", values).fetchone()
    if found is None:
        return None
    # numeric comes as Decimal; these are integers.
    whole = (int(found.earned_total_units), int(found.charged_total_units))
    return Posted(
        *(found.posting_id, found.from_epoch, found.to_epoch, found.attempt, found.state),
        *(found.parent_root, found.root, *whole, found.pinned_block),
        *(found.settlement_hash, found.leaves),
    )


def _moved(connection: Database, statement: str, values: tuple[Any, ...]) -> None:
    if connection.execute(statement, values).rowcount != 1:
        raise StopError("settler_superseded", value=values[-1])
