"""Parquet that is there whole or not at all, and what must not be in it."""

import errno
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from distributary.errors import DistributaryError
from distributary.lake.compaction import Expected, compact
from distributary.lake.files import answers_path, file_sha256, write_answers
from distributary.lake.schema import ANSWERS, answers_table
from distributary.recording.records import Outcome, Row
from tests.signed_answers import Customer, eight_weights, judge, record


def table(*numbers: int) -> object:
    rows = []
    for number in numbers:
        answer = Customer().answer(number, prompt="a secret prompt", text="a secret answer")
        judged = judge().judge(record(number, answer), answer)
        rows.append(Row(judged, Outcome.CHARGED, eight_weights()))
    return answers_table("topic", 0, rows)


def test_write_answers__file__is_what_was_recorded(tmp_path: Path) -> None:
    path = answers_path(tmp_path, 1, "a")
    file = write_answers(path, table(0, 1))

    assert (file.rows, file.size_bytes) == (2, path.stat().st_size)
    assert file.sha256 == file_sha256(path)
    assert pq.read_table(path, partitioning=None).schema.names == ANSWERS.names


def test_write_answers__settlement_file__holds_neither_prompt_nor_answer(tmp_path: Path) -> None:
    path = answers_path(tmp_path, 1, "a")
    write_answers(path, table(0))

    for row in pq.read_table(path, partitioning=None).to_pylist():
        assert not any("secret" in str(value) for value in row.values())


def test_write_answers__name_taken__is_never_overwritten(tmp_path: Path) -> None:
    path = answers_path(tmp_path, 1, "a")
    write_answers(path, table(0))
    before = path.read_bytes()

    with pytest.raises(FileExistsError):
        write_answers(path, table(1))
    assert path.read_bytes() == before


def test_write_answers__disk_full__leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = answers_path(tmp_path, 1, "a")
    path.parent.mkdir(parents=True)
    monkeypatch.setattr("distributary.lake.files.os.fsync", full)

    with pytest.raises(OSError, match="No space"):
        write_answers(path, table(0))
    assert not path.exists()


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_compact__committed_file_damaged__is_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = answers_path(tmp_path, 1, "a")
    file = write_answers(path, table(0))
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(DistributaryError, match="missing or damaged"):
        compact(tmp_path, 1, [Expected("a", file.sha256)], tmp_path / "canonical.parquet")
    assert not (tmp_path / "canonical.parquet").exists()


def test_compact__files_that_overlap__are_refused(tmp_path: Path) -> None:
    expected = []
    for name, numbers in (("a", (0, 1)), ("b", (1, 2))):
        file = write_answers(answers_path(tmp_path, 1, name), table(*numbers))
        expected.append(Expected(name, file.sha256))

    with pytest.raises(DistributaryError, match="overlap"):
        compact(tmp_path, 1, expected, tmp_path / "canonical.parquet")
