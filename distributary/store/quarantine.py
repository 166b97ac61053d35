"""The table `quarantine`: records set aside with a reason, so that one never halts an epoch."""

import hashlib
from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.recording.records import Lane, Quarantined


def quarantine(
    connection: Connection[TupleRow], epoch: int, lane: Lane, set_aside: Sequence[Quarantined]
) -> None:
    """Records coordinates, reason, length and hash; the record itself stays in Kafka."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into quarantine values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    *(epoch, lane.topic, lane.partition, each.record.offset, each.reason.value),
                    # Postgres has no NUL in text, and a lone surrogate is no UTF-8.
                    each.detail.encode("ascii", "backslashreplace").decode().replace("\0", "\\0"),
                    len(each.record.value),
                    hashlib.sha256(each.record.value).digest(),
                )
                for each in set_aside
            ],
        )
