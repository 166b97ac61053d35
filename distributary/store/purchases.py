"""The table `purchases`: a request hash is bought once, whatever is redelivered (invariant I2)."""

from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.recording.judging import INT8_MAX
from distributary.recording.records import Judged, Lane, Outcome, Row, Weighed

DAY_S = 86_400


def take_purchases(
    connection: Connection[TupleRow], epoch: int, lane: Lane, weighed: Sequence[Weighed]
) -> list[Row]:
    """Takes the request hashes of executed answers, and says which came too late.

    Of two in one bundle the lower offset takes it; both have the same partition, so that of two
    bundles the earlier one has the lower offset.

    Args:
        connection: inside the transaction of the bundle.
        epoch: the open epoch.
        lane: where the answers stand.
        weighed: in offset order.
    """
    first: dict[str, Judged] = {}
    for each in weighed:
        if each.judged.buys:
            first.setdefault(each.judged.answer.request_hash, each.judged)
    taken = _insert(connection, epoch, lane, first)
    return [_row(each, taken.get(each.judged.answer.request_hash)) for each in weighed]


def _row(weighed: Weighed, winner: Judged | None) -> Row:
    judged = weighed.judged
    if judged.buys and judged is not winner:
        return Row(judged, Outcome.DUPLICATE, None)
    if judged.reason is not None:
        return Row(judged, Outcome.UNCHARGED, None)
    return Row(judged, Outcome.CHARGED, weighed.weights)


def _insert(
    connection: Connection[TupleRow], epoch: int, lane: Lane, first: dict[str, Judged]
) -> dict[str, Judged]:
    """Inserts in the order of the hashes, so that two writers never wait in a circle."""
    if not first:
        return {}
    ordered = sorted(first)
    rows = connection.execute(
        """
        insert into purchases (request_hash, epoch, topic, partition, answer_offset, expires_at)
        select hash, %s, %s, %s, answer_offset, expires_at
        from unnest(%s::bytea[], %s::int8[], %s::int8[]) as wanted (hash, answer_offset, expires_at)
        order by hash
        on conflict do nothing
        returning request_hash
        """,
        (
            *(epoch, lane.topic, lane.partition),
            [bytes.fromhex(hash_) for hash_ in ordered],
            [first[hash_].record.offset for hash_ in ordered],
            [_expiry(first[hash_]) for hash_ in ordered],
        ),
    )
    return {hash_: first[hash_] for hash_ in (bytes(row[0]).hex() for row in rows)}


def _expiry(judged: Judged) -> int:
    """Zero where no expiry was signed: such an answer is uncharged whenever it comes."""
    expires_at = judged.answer.expires_at
    return expires_at if type(expires_at) is int and abs(expires_at) <= INT8_MAX else 0


def purchases_needed_s(retention_s: int) -> int:
    """For how many seconds after its expiry a request can still bring an answer that is charged.

    A second copy, admitted before it expires, can wait in the requests topic for the whole
    retention, and its answer in the answers topic for as long again. A day is for clocks.
    """
    return 2 * retention_s + DAY_S


def prune_purchases(connection: Connection[TupleRow], before_s: int) -> int:
    """Deletes purchases whose requests expired before Unix second `before_s`; returns how many.

    A copy that was admitted before its expiry is still charged when it is answered and read, so
    `before_s` must be `purchases_needed_s` in the past.
    """
    return connection.execute("delete from purchases where expires_at < %s", (before_s,)).rowcount
