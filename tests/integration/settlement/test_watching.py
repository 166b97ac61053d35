"""What the sensors see."""

import psycopg
import pytest

from distributary.store import migrate
from orchestration.watching import STUCK_S, indexer_lag, stuck_states

NOW_S = 1_800_000_000


@pytest.fixture
def connection(fresh_database):
    dsn = fresh_database()
    migrate(dsn)
    with psycopg.connect(dsn, autocommit=True) as opened:
        yield opened


def indexed(connection, block: int, head: int, seen_at_s: int) -> None:
    connection.execute(
        "insert into chain_blocks values (%s, sha256('a'), sha256('b'), 0)", (block,)
    )
    connection.execute(
        "insert into chain_progress (indexed_block, finalized_block, head_block, head_at_s, "
        "seen_at_s) values (%s, %s, %s, 0, %s)",
        (block, block, head, seen_at_s),
    )


@pytest.mark.parametrize(
    ("head", "seen_at_s", "is_behind"),
    [(100, NOW_S, False), (133, NOW_S, True), (100, NOW_S - 61, True)],
)
def test_indexer_lag__blocks_or_silence__is_behind(connection, head, seen_at_s, is_behind):
    assert indexer_lag(connection, NOW_S) == "never"
    indexed(connection, 100, head, seen_at_s)
    assert (indexer_lag(connection, NOW_S) is not None) is is_behind


def test_stuck_states__a_nonce_in_flight_for_long__is_named(connection):
    connection.execute(
        """
        insert into transactions (chain_id, sender, nonce, bump, purpose, hash, signed, gas_limit,
            max_fee_wei, tip_wei, seen_block, moved_at)
        values (1, '0x' || repeat('a', 40), 0, 0, 'commit:1', sha256('x'), 'x', 1, 1, 1, 1,
            now() - make_interval(secs => %s))
        """,
        (STUCK_S - 60,),
    )
    assert stuck_states(connection) == []
    connection.execute("set session_replication_role = replica")
    connection.execute("update transactions set moved_at = now() - interval '1 hour'")
    (stuck,) = stuck_states(connection)
    assert stuck.startswith("commit:1 reserved since")


@pytest.mark.parametrize(
    "statement",
    [
        "update transactions set signed = 'y'",
        "update transactions set nonce = 1, state = 'broadcast'",
        "update transactions set state = 'finalized', block = 1, block_hash = sha256('b'), "
        "succeeded = true",
        "delete from transactions",
        "truncate transactions",
    ],
)
def test_transactions__changed_but_by_a_move__are_refused_by_the_database(connection, statement):
    connection.execute(
        """
        insert into transactions (chain_id, sender, nonce, bump, purpose, hash, signed, gas_limit,
            max_fee_wei, tip_wei, seen_block)
        values (1, '0x' || repeat('a', 40), 0, 0, 'commit:1', sha256('x'), 'x', 1, 1, 1, 1)
        """
    )
    with pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(statement)
