import json
import sys
from pathlib import Path

import pytest

from distributary.attribution import index
from distributary.attribution.files import pointer_bytes
from distributary.errors import DistributaryError, InputError, UnavailableError

DOCUMENTS = [("b" * 64, "The mill pond."), ("a" * 64, "A river, a delta"), ("c" * 64, "…")]


def test_write_index__any_order_of_documents__same_bytes(make_index) -> None:
    one, two = make_index(DOCUMENTS, "one"), make_index(DOCUMENTS[::-1], "two")
    names = [path.name for path in sorted(one.iterdir())]
    assert names == ["documents.json", "index.json", "offset.0", "table.0", "tokenized.0"]
    assert [(one / n).read_bytes() for n in names] == [(two / n).read_bytes() for n in names]


def test_write_index__documents__are_lines_of_words_after_separators(make_index) -> None:
    folder = make_index(DOCUMENTS)
    assert (folder / "tokenized.0").read_bytes() == b"\xff a river a delta \xff the mill pond \xff"
    assert json.loads((folder / "documents.json").read_bytes()) == ["a" * 64, "b" * 64, "c" * 64]


def test_write_index__document_twice__is_refused(make_index) -> None:
    with pytest.raises(InputError, match="twice"):
        make_index([("a" * 64, "one"), ("a" * 64, "two")])


def test_write_index__too_long_together__is_refused(make_index, monkeypatch) -> None:
    monkeypatch.setattr(index, "INDEXED_BYTES_MAX", 10)
    with pytest.raises(InputError, match="too long"):
        make_index(DOCUMENTS)


def test_write_index__indexer_gives_a_wrong_order__fails(make_index, monkeypatch) -> None:
    monkeypatch.setattr(
        index, "_write_table", lambda data, table, size: table.write_bytes(bytes(range(size)))
    )
    with pytest.raises(DistributaryError) as failure:
        index.write_index(DOCUMENTS, Path(make_index(DOCUMENTS)).with_name("wrong"), "0" * 64)
    assert failure.value.code == "index_failed"


def test_write_index__no_infini_gram__says_so(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="infini-gram"):
        index.write_index(DOCUMENTS, tmp_path / "index", "0" * 64)


def test_build_index__no_environment__says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="distributary up"):
        index.build_index(tmp_path / "python", DOCUMENTS, tmp_path / "index", "0" * 64)


def test_build_index__builder_fails__tells_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(DistributaryError, match="infini-gram is not installed") as failure:
        index.build_index(Path(sys.executable), DOCUMENTS, tmp_path / "index", "0" * 64)
    assert failure.value.code == "index_failed"


@pytest.mark.parametrize(
    ("size", "width"), [(1, 1), (2, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 3)]
)
def test_pointer_bytes__size__is_infini_grams_ratio(size: int, width: int) -> None:
    assert pointer_bytes(size) == width
