"""Prompts and answers in the lake: their day, their retention, their erasure."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from distributary.lake.texts import erase_texts, sweep_texts, texts_path, write_texts
from distributary.recording.records import Lane, Outcome, Row
from tests.signed_answers import ADMITTED_AT_MS, Customer, judge, record

LANE = Lane("topic", 1, 0, 1)
OTHER = Customer(account="0x" + "b" * 40)
DAY = datetime.fromtimestamp(ADMITTED_AT_MS / 1000, UTC).date()


def row(number: int, customer: Customer) -> Row:
    answer = customer.answer(number)
    return Row(judge().judge(record(number, answer), answer), Outcome.CHARGED, None)


def write(lake: Path, name: str, *customers: Customer) -> None:
    write_texts(lake, name, LANE, [row(number, each) for number, each in enumerate(customers)])


def texts(lake: Path, name: str) -> list[str]:
    table = pq.read_table(texts_path(lake, DAY, name), partitioning=None)
    return [str(text) for text in table["text"].to_pylist()]


def test_write_texts__executed_answers__stand_under_their_day(tmp_path: Path) -> None:
    write(tmp_path, "a", Customer(), OTHER)

    assert texts(tmp_path, "a") == ["answer 0", "answer 1"]


def test_write_texts__nothing_executed__writes_nothing(tmp_path: Path) -> None:
    answer = Customer().refused(0)
    refused = Row(judge().judge(record(0, answer), answer), Outcome.UNCHARGED, None)

    assert write_texts(tmp_path, "a", LANE, [refused]) is None
    assert list(tmp_path.iterdir()) == []


def test_erase_texts__account__loses_its_texts_and_others_keep_theirs(tmp_path: Path) -> None:
    write(tmp_path, "a", Customer(), OTHER, Customer())
    write(tmp_path, "b", OTHER)
    write(tmp_path, "c", Customer())

    assert erase_texts(tmp_path, Customer().account) == 3
    assert texts(tmp_path, "a") == ["answer 1"]
    assert texts(tmp_path, "b") == ["answer 0"]
    assert not texts_path(tmp_path, DAY, "c").exists()
    assert erase_texts(tmp_path, Customer().account) == 0


def test_erase_texts__empty_lake__erases_nothing(tmp_path: Path) -> None:
    assert erase_texts(tmp_path / "none", Customer().account) == 0


@pytest.mark.parametrize(("days_later", "kept"), [(0, True), (14, True), (15, False)])
def test_sweep_texts__whole_days_older_than_the_retention__go(
    tmp_path: Path, days_later: int, kept: bool
) -> None:
    write(tmp_path, "a", Customer())
    now = datetime.fromtimestamp(ADMITTED_AT_MS / 1000 + days_later * 86_400, UTC)

    assert sweep_texts(tmp_path, now, 14 * 86_400) == ([] if kept else [DAY.isoformat()])
    assert texts_path(tmp_path, DAY, "a").exists() is kept
