"""The epoch fence: commits share it, whoever closes an epoch holds it alone."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.errors import DistributaryError

# Any number that nothing else in this database takes an advisory lock on.
EPOCH_FENCE = 7_310_002


@dataclass(frozen=True, slots=True)
class OpenEpoch:
    """The epoch that rows go into now, and the method version its weights must have."""

    epoch: int
    method: str


def enter_open_epoch(connection: Connection[TupleRow]) -> OpenEpoch:
    """Keeps the open epoch open until this transaction ends, then reads which it is."""
    connection.execute("select pg_advisory_xact_lock_shared(%s)", (EPOCH_FENCE,))
    return read_open_epoch(connection)


def hold_fence(connection: Connection[TupleRow]) -> None:
    """Waits until no commit is under way, and lets none begin until this transaction ends."""
    connection.execute("select pg_advisory_xact_lock(%s)", (EPOCH_FENCE,))


def read_open_epoch(connection: Connection[TupleRow]) -> OpenEpoch:
    """The open epoch.

    Raises:
        DistributaryError: `no_open_epoch`.
    """
    row = connection.execute("select epoch, method from epochs where state = 'open'").fetchone()
    if row is None:
        raise DistributaryError(
            "No epoch is open: run `distributary epoch open`.", code="no_open_epoch"
        )
    return OpenEpoch(*row)
