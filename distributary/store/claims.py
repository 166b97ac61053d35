"""Claims as the indexer saw them on the chain."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow, dict_row


def claims_of(connection: Connection[TupleRow], payees: Sequence[str]) -> list[dict[str, Any]]:
    """The claims of some payees in the order of the chain.

    Returns:
        payee, units, cumulative_units, block, and the transaction's hash with 0x.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            select payee, units, cumulative_units, block,
                '0x' || encode(transaction_hash, 'hex') as transaction
            from chain_claims where payee = any(%s)
            order by block, cumulative_units
            """,
            (list(payees),),
        ).fetchall()
