"""Where one request went: its answer records, weights, Parquet files and epoch."""

from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow, dict_row

_ANSWERS = """
    select epoch, epochs.state as epoch_state, topic, topic_id, partition, answer_offset,
        answered_at_ms, status, code, outcome, reason, charge_units::text,
        stated_charge_units::text, max_charge_units::text, expires_at,
        request_topic_id, request_partition, request_offset, admitted_at_ms,
        account, source, id, encode(request_hash, 'hex') as request_hash,
        encode(body_hash, 'hex') as body_hash, encode(key, 'hex') as key,
        encode(signature, 'hex') as signature, model, model_version, adapter, agent, node,
        prompt_tokens, answer_tokens, encode(price_hash, 'hex') as price_hash,
        encode(split_hash, 'hex') as split_hash, datanet,
        encode(answers.manifest_hash, 'hex') as manifest_hash, method, commons, traceparent
    from answers join topics using (topic) join epochs using (epoch)
"""
_ORDER = "order by epoch, topic_id, partition, answer_offset"


def find_by_hash(connection: Connection[TupleRow], request_hash: str) -> list[dict[str, Any]]:
    """The answer records of a request hash (hex), each with weights and file, oldest first."""
    return _found(
        connection, f"{_ANSWERS} where request_hash = decode(%s, 'hex') {_ORDER}", (request_hash,)
    )


def find_by_identity(
    connection: Connection[TupleRow], account: str, source: str, event_id: str
) -> list[dict[str, Any]]:
    """The answer records of an identity; more than one request hash of it is a conflict."""
    return _found(
        connection,
        f"{_ANSWERS} where account = %s and source = %s and id = %s {_ORDER}",
        (account, source, event_id),
    )


def _found(
    connection: Connection[TupleRow], statement: str, values: tuple[Any, ...]
) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        answers = cursor.execute(statement, values).fetchall()
        for answer in answers:
            answer["weights"] = cursor.execute(_WEIGHTS, answer).fetchall()
            answer["file"] = cursor.execute(_FILE, answer).fetchone()
            del answer["topic"]
    return answers


_WEIGHTS = """
    select document, owners.label as owner, payee, weight
    from attributions join documents using (document_id) join owners using (owner_id)
        left join payee_bindings using (owner_id)
    where epoch = %(epoch)s and topic = %(topic)s and partition = %(partition)s
        and answer_offset = %(answer_offset)s
    order by weight desc, document
"""
_FILE = """
    select file, rows, encode(sha256, 'hex') as sha256, from_offset, to_offset
    from lake_files
    where topic = %(topic)s and partition = %(partition)s
        and from_offset <= %(answer_offset)s and to_offset > %(answer_offset)s
"""
