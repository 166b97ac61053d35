"""The columns of the settlement Parquet: everything that decides money, and no prompt or answer.

Hashes, keys and signatures are lower-case hex, amounts decimal text of base units.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa

from distributary.amounts import parse_units
from distributary.answers import Answer
from distributary.recording.judging import INT8_MAX
from distributary.recording.records import Row


def _amount(value: object) -> str | None:
    return None if parse_units(value) is None else str(value)


def _instant(value: object) -> int | None:
    return value if type(value) is int and abs(value) <= INT8_MAX else None


Getter = Callable[[Row, Answer], Any]

# Name, Arrow type, and where the value comes from; documents and weights follow as lists.
_SCALARS: Final[tuple[tuple[str, pa.DataType, Getter], ...]] = (
    ("answer_offset", pa.int64(), lambda row, _: row.judged.record.offset),
    ("answered_at_ms", pa.int64(), lambda row, _: row.judged.record.answered_at_ms),
    ("status", pa.string(), lambda _, answer: answer.status.value),
    ("code", pa.string(), lambda _, answer: answer.code),
    ("outcome", pa.string(), lambda row, _: row.outcome.value),
    ("reason", pa.string(), lambda row, _: row.reason),
    ("charge_units", pa.string(), lambda row, _: str(row.charge_units)),
    ("stated_charge_units", pa.string(), lambda _, answer: answer.charge_units),
    ("max_charge_units", pa.string(), lambda _, answer: _amount(answer.max_charge_units)),
    ("expires_at", pa.int64(), lambda _, answer: _instant(answer.expires_at)),
    ("request_topic_id", pa.string(), lambda _, answer: answer.topic_id),
    ("request_partition", pa.int32(), lambda _, answer: answer.partition),
    ("request_offset", pa.int64(), lambda _, answer: answer.offset),
    ("admitted_at_ms", pa.int64(), lambda _, answer: answer.admitted_at_ms),
    ("account", pa.string(), lambda _, answer: answer.account),
    ("source", pa.string(), lambda _, answer: answer.source),
    ("id", pa.string(), lambda _, answer: answer.id),
    ("request_hash", pa.string(), lambda _, answer: answer.request_hash),
    ("body_hash", pa.string(), lambda _, answer: answer.body_hash),
    ("key", pa.string(), lambda _, answer: answer.key),
    ("signature", pa.string(), lambda _, answer: answer.signature),
    ("model", pa.string(), lambda _, answer: answer.model),
    ("model_version", pa.string(), lambda _, answer: answer.model_version),
    ("adapter", pa.string(), lambda _, answer: answer.adapter),
    ("agent", pa.string(), lambda _, answer: answer.agent),
    ("node", pa.string(), lambda _, answer: answer.node),
    ("prompt_tokens", pa.int64(), lambda _, answer: answer.prompt_tokens),
    ("answer_tokens", pa.int64(), lambda _, answer: answer.answer_tokens),
    ("price_hash", pa.string(), lambda _, answer: answer.price_hash),
    ("split_hash", pa.string(), lambda _, answer: answer.split_hash),
    ("datanet", pa.string(), lambda _, answer: answer.datanet),
    ("manifest_hash", pa.string(), lambda _, answer: answer.manifest_hash),
    ("commons", pa.int64(), lambda row, _: row.weights and row.weights.commons),
    ("method", pa.string(), lambda row, _: row.weights and row.weights.method),
    ("traceparent", pa.string(), lambda row, _: row.judged.record.traceparent),
)
COORDINATES: Final = (pa.field("topic_id", pa.string()), pa.field("partition", pa.int32()))
DOCUMENTS: Final = pa.field("documents", pa.list_(pa.string()))
WEIGHTS: Final = pa.field("weights", pa.list_(pa.int64()))
ANSWERS: Final = pa.schema(
    [*COORDINATES, *(pa.field(name, type_) for name, type_, _ in _SCALARS), DOCUMENTS, WEIGHTS]
)
SCALARS: Final = [field.name for field in ANSWERS if field not in (DOCUMENTS, WEIGHTS)]
HEX_COLUMNS: Final = frozenset(
    ("request_hash", "body_hash", "key", "signature", "price_hash", "split_hash", "manifest_hash")
)


def answers_table(topic_id: str, partition: int, rows: Sequence[Row]) -> pa.Table:
    """The rows of one lane, in the order given, as one table.

    Raises:
        ValueError: a text is not UTF-8 or a number too large (pyarrow's ArrowInvalid or
            UnicodeEncodeError): that row cannot be stored.
    """
    answers = [row.judged.answer for row in rows]
    columns: list[pa.Array] = [
        pa.repeat(pa.scalar(topic_id, pa.string()), len(rows)),
        pa.repeat(pa.scalar(partition, pa.int32()), len(rows)),
    ]
    for _, type_, get in _SCALARS:
        values = [get(row, answer) for row, answer in zip(rows, answers, strict=True)]
        columns.append(pa.array(values, type_))
    weights = [row.weights.documents if row.weights else () for row in rows]
    columns.append(pa.array([[hash_ for hash_, _ in each] for each in weights], DOCUMENTS.type))
    columns.append(pa.array([[weight for _, weight in each] for each in weights], WEIGHTS.type))
    return pa.Table.from_arrays(columns, schema=ANSWERS)


def attributions_table(answers: pa.Table) -> pa.Table:
    """One row per answer and document, in order: answer_offset, document, weight, charge_units."""
    import pyarrow.compute as pc

    documents = answers["documents"].combine_chunks()
    parents = pc.list_parent_indices(documents)
    return pa.table(
        {
            "answer_offset": answers["answer_offset"].take(parents),
            "document": pc.list_flatten(documents),
            "weight": pc.list_flatten(answers["weights"].combine_chunks()),
            "charge_units": answers["charge_units"].take(parents),
        }
    )
