"""Where reading goes on: the table `consumed`, which alone decides it."""

from dataclasses import dataclass

from psycopg import Connection, OperationalError
from psycopg.errors import UndefinedTable
from psycopg.rows import TupleRow

from distributary.errors import DistributaryError, ExitCode, UnavailableError
from distributary.recording.records import Batch, Lane


class SupersededError(DistributaryError):
    """Another process has opened the lane since: this one is a zombie and stops."""

    code = "superseded"
    exit_code = ExitCode.SUPERSEDED


class MovedError(DistributaryError):
    """The lane stands at another offset than the bundle begins at: it is read again from there."""

    code = "moved"


class CommittedError(DistributaryError):
    """The bundle is committed already: the connection was lost before it was heard."""

    code = "committed"


@dataclass(frozen=True, slots=True)
class Opened:
    """A lane just opened, and the offset to read from."""

    lane: Lane
    next_offset: int


def topic_key(connection: Connection[TupleRow], topic_id: str, name: str) -> int:
    """The short key of a topic, made at the first call."""
    for _ in range(2):
        row = connection.execute(
            "select topic from topics where topic_id = %s", (topic_id,)
        ).fetchone()
        if row is not None:
            return int(row[0])
        connection.execute(
            "insert into topics (topic_id, name) values (%s, %s) on conflict do nothing",
            (topic_id, name),
        )
    raise DistributaryError("The topic could not be registered.", value=topic_id)


def open_lane(
    connection: Connection[TupleRow], topic_id: str, name: str, partition: int, low_offset: int
) -> Opened:
    """Takes a new generation of a lane, so that whoever had it before can commit no more.

    Args:
        connection: to Postgres; this commits.
        topic_id: Kafka's id of the answers topic.
        name: its name.
        partition: the partition.
        low_offset: the oldest offset that Kafka has, where a lane never read before begins.

    Raises:
        UnavailableError: Postgres went away.
        DistributaryError: `records_lost`: Kafka has deleted records that were never read;
            `no_schema`: the tables are not there.
    """
    try:
        with connection.transaction():
            opened = _open(connection, topic_id, name, partition, low_offset)
    except UndefinedTable as error:
        raise DistributaryError(
            "Postgres lacks our tables: run `distributary up` once with its owner's URI.",
            code="no_schema",
        ) from error
    except OperationalError as error:
        raise UnavailableError(f"Postgres went away while a lane was opened: {error}.") from error
    if opened.next_offset < low_offset:
        raise DistributaryError(
            f"Kafka has deleted answers {opened.next_offset} to {low_offset - 1} of partition "
            f"{partition} before they were committed: restore them, or have them written off by "
            "name.",
            value=topic_id,
            code="records_lost",
        )
    return opened


def _open(
    connection: Connection[TupleRow], topic_id: str, name: str, partition: int, low_offset: int
) -> Opened:
    topic = topic_key(connection, topic_id, name)
    row = connection.execute(
        """
        insert into consumed (topic, partition, generation, first_offset, next_offset)
        values (%s, %s, 1, %s, %s)
        on conflict (topic, partition) do update set generation = consumed.generation + 1
        returning generation, next_offset
        """,
        (topic, partition, low_offset, low_offset),
    ).fetchone()
    if row is None:
        raise DistributaryError("The lane could not be opened.", value=partition)
    return Opened(Lane(topic_id, topic, partition, row[0]), row[1])


def lock_lane(connection: Connection[TupleRow], batch: Batch) -> None:
    """Locks the lane's row until the transaction ends, and checks that the batch goes on there.

    Raises:
        SupersededError: a higher generation was taken.
        CommittedError: the lane stands where this batch ends; only this process can have done it.
        MovedError: it stands elsewhere.
    """
    lane = batch.lane
    row = connection.execute(
        """
        select generation, next_offset from consumed
        where topic = %s and partition = %s for no key update
        """,
        (lane.topic, lane.partition),
    ).fetchone()
    if row is None or row[0] > lane.generation:
        raise SupersededError(
            f"Another attribution job has opened partition {lane.partition}: this one stops. Run "
            "one only.",
            value=lane.generation,
        )
    if row[1] == batch.to_offset and row[0] == lane.generation:
        raise CommittedError("The bundle is committed already.", value=batch.to_offset)
    if row[1] != batch.from_offset or row[0] != lane.generation:
        raise MovedError(
            f"Partition {lane.partition} stands at {row[1]}, not at {batch.from_offset}.",
            value=batch.from_offset,
        )


def advance_lane(connection: Connection[TupleRow], batch: Batch) -> None:
    """Moves the lane past the batch."""
    connection.execute(
        "update consumed set next_offset = %s where topic = %s and partition = %s",
        (batch.to_offset, batch.lane.topic, batch.lane.partition),
    )
