"""What holds for any input: of judging, of weights, and of the lake's bytes."""

import json
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from distributary.answers import Answer, Status
from distributary.errors import DistributaryError
from distributary.lake.compaction import Expected, compact
from distributary.lake.csv import LogicalDigest, logical_digest
from distributary.lake.files import answers_path, write_answers
from distributary.lake.schema import answers_table
from distributary.recording.judging import read_record
from distributary.recording.records import Outcome, Quarantined, Row
from distributary.recording.weights import Reply, read_reply
from tests.signed_answers import Customer, eight_weights, judge, record

GOOD = Customer().answer(0)
JUDGE = judge()
# These tell where and how it was answered, and decide no charge.
FREE = {
    *("topic_id", "partition", "offset", "sentence", "code", "retry_after_ms", "adapter"),
    *("agent", "node", "model_version", "prompt", "text", "passages", "datanet", "manifest_hash"),
    "admitted_at_ms",
}
anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(), max_size=2)
)


@given(st.binary(max_size=200))
def test_read_record__any_bytes__never_raises(value: bytes) -> None:
    assert isinstance(read_record(record(0, value)), Answer | Quarantined)


@given(st.sampled_from(Answer._fields), anything)
def test_judge__any_field_changed__charges_nothing_else_than_what_was_signed(
    name: str, value: Any
) -> None:
    changed = json.loads(GOOD.payload()) | {name: value}
    read = read_record(record(0, json.dumps(changed).encode()))
    if isinstance(read, Quarantined):
        return
    judged = JUDGE.judge(record(0, read), read)
    if judged.reason is None:
        assert name in FREE or getattr(GOOD, name) == value
        assert judged.charge_units == int(GOOD.charge_units or "")


@given(st.text(), st.text())
def test_read_reply__any_text__gives_the_whole_or_an_error(weights: str, error: str) -> None:
    try:
        found = read_reply(Reply(weights, error))
    except (DistributaryError, UnicodeEncodeError):
        return
    assert found.commons + sum(weight for _, weight in found.documents) == 10**9


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-2, 10**9)), max_size=4),
    st.integers(-1, 10**9),
)
def test_read_reply__any_weights__accepts_only_the_whole(
    pairs: list[tuple[int, int]], commons: int
) -> None:
    documents = [[f"{number:064x}", weight] for number, weight in pairs]
    text = json.dumps({"method": "m", "commons": commons, "weights": documents})
    try:
        found = read_reply(Reply(text, ""))
    except DistributaryError:
        return
    assert found.commons + sum(weight for _, weight in found.documents) == 10**9
    assert all(weight > 0 for _, weight in found.documents)


def rows(count: int) -> list[Row]:
    """Charged and refused answers in turn."""
    made = []
    for number in range(count):
        answer = GOOD if number % 3 else GOOD._replace(status=Status.REFUSED, code="expired")
        judged = JUDGE.judge(record(2 * number, answer), answer)
        charged = judged.reason is None
        outcome = Outcome.CHARGED if charged else Outcome.UNCHARGED
        made.append(Row(judged, outcome, eight_weights() if charged else None))
    return made


ROWS = rows(23)
cuts = st.sets(st.integers(1, len(ROWS) - 1)).map(sorted)


def parts(at: list[int]) -> list[list[Row]]:
    bounds = [0, *at, len(ROWS)]
    return [ROWS[a:b] for a, b in pairwise(bounds)]


@given(cuts)
def test_digest__rows_cut_anywhere__is_the_same(at: list[int]) -> None:
    digest = LogicalDigest()
    for part in parts(at):
        digest.add(answers_table("topic", 0, part))

    assert digest.digest() == logical_digest(answers_table("topic", 0, ROWS))


@settings(max_examples=20)
@given(cuts)
def test_compact__bundles_cut_anywhere__gives_the_same_bytes(at: list[int]) -> None:
    assert compacted(at) == compacted([])


def compacted(at: list[int]) -> bytes:
    """The canonical file of `ROWS` committed in bundles cut so."""
    with TemporaryDirectory() as folder, patch("distributary.lake.compaction.ROW_GROUP_ROWS", 5):
        lake, expected = Path(folder), []
        for number, part in enumerate(parts(at)):
            path = answers_path(lake, 1, str(number))
            file = write_answers(path, answers_table("topic", 0, part))
            expected.append(Expected(file.name, file.sha256))
        target = lake / "canonical.parquet"
        file = compact(lake, 1, expected, target)
        assert file.rows == len(ROWS)
        assert file.digest == logical_digest(answers_table("topic", 0, ROWS))
        return target.read_bytes()
