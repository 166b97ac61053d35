"""What the sensors look at: an indexer that is behind, and states that nobody moves on."""

from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from orchestration.chain.rows import read_progress

LAG_BLOCKS_MAX: Final = 32
UNSEEN_S_MAX: Final = 60
STUCK_S: Final = 300


def indexer_lag(connection: Connection[TupleRow], now_s: int) -> str | None:
    """How far the indexer is behind, in words that change as it does; None where it is not.

    Args:
        connection: any.
        now_s: Unix seconds.
    """
    progress = read_progress(connection)
    if progress is None:
        return "never"
    blocks = progress.head_block - progress.indexed_block
    if blocks > LAG_BLOCKS_MAX or now_s - progress.seen_at_s > UNSEEN_S_MAX:
        return f"{progress.indexed_block} of {progress.head_block} at {progress.seen_at_s}"
    return None


def stuck_states(connection: Connection[TupleRow]) -> list[str]:
    """Transactions and postings that have not moved for five minutes, by name and state."""
    rows = connection.execute(
        """
        select purpose || ' ' || state || ' since ' || moved_at::text from transactions
        where state in ('reserved', 'broadcast', 'mined')
            and moved_at < now() - make_interval(secs => %(stuck)s)
        union all
        select 'posting ' || posting_id || ' ' || state || ' since ' || computed_at::text
        from postings where state in ('computed', 'sent')
            and computed_at < now() - make_interval(secs => %(stuck)s)
        order by 1
        """,
        {"stuck": STUCK_S},
    ).fetchall()
    return [text for (text,) in rows]
