"""What dbt built for a posting, in the types and order of the reference."""

from typing import Final

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from distributary.rewards.funding import Charge, State
from distributary.rewards.leaves import Leaf
from distributary.rewards.lines import Line

SCHEMA: Final = "rewards"  # settlement's own; analysts build into `reports`


def read_lines(
    connection: Connection[TupleRow], posting_id: int, schema: str = SCHEMA
) -> list[Line]:
    """The reward lines of a posting, in order of epoch, role and asset."""
    rows = connection.execute(
        sql.SQL(
            """
            select epoch, role, asset, owner, payee, units, reason from {}
            where posting_id = %s order by epoch, role collate "C", asset collate "C"
            """
        ).format(sql.Identifier(schema, "fct_reward_lines")),
        (posting_id,),
    )
    return [
        Line(epoch, role, asset, owner, payee, int(units), reason)
        for epoch, role, asset, owner, payee, units, reason in rows
    ]


def read_leaves(
    connection: Connection[TupleRow], posting_id: int, schema: str = SCHEMA
) -> list[Leaf]:
    """The leaves of a posting, in order of kind and address."""
    rows = connection.execute(
        sql.SQL(
            """
            select kind, address, cumulative_units from {}
            where posting_id = %s order by kind, address collate "C"
            """
        ).format(sql.Identifier(schema, "fct_leaves")),
        (posting_id,),
    )
    return [Leaf(kind, address, int(units)) for kind, address, units in rows]


def read_charges(
    connection: Connection[TupleRow], posting_id: int, schema: str = SCHEMA
) -> list[Charge]:
    """The charges of a posting as it leaves them, in order of deciding epoch and request hash."""
    rows = connection.execute(
        sql.SQL(
            """
            select epoch, request_hash, account, units, state, reason from {}
            where posting_id = %s order by epoch, request_hash collate "C"
            """
        ).format(sql.Identifier(schema, "fct_charges")),
        (posting_id,),
    )
    return [
        Charge(epoch, request_hash, account, int(units), State(state), reason)
        for epoch, request_hash, account, units, state, reason in rows
    ]
