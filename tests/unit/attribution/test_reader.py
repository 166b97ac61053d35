import hashlib
import json
import shutil
from pathlib import Path

import pytest

from distributary.attribution import reader
from distributary.attribution.files import IndexUnavailableError
from distributary.attribution.reader import Index, Indexes

MANIFEST = "0" * 64
DOCUMENTS = [
    ("b" * 64, "The mill pond, the mill."),
    ("a" * 64, "A river. The mill?"),
    ("c" * 64, ""),
]


@pytest.fixture
def folder(make_index) -> Path:
    return make_index(DOCUMENTS)


def place(folder: Path, lake: Path, datanet: str, manifest: str = MANIFEST) -> Path:
    target = lake / "datanets" / datanet / "indexes" / manifest / "attribution"
    shutil.copytree(folder, target)
    return target


@pytest.mark.parametrize(
    ("span", "occurrences", "holders"),
    [
        (" the mill ", 3, ["a" * 64, "b" * 64]),
        (" mill ", 3, ["a" * 64, "b" * 64]),
        (" pond ", 1, ["b" * 64]),
        (" a river ", 1, ["a" * 64]),
        (" mill a ", 0, []),
        (" zzz ", 0, []),
        (" ", 11, ["a" * 64, "b" * 64]),
    ],
)
def test_index__span__is_counted_and_found(
    folder: Path, span: str, occurrences: int, holders: list[str]
) -> None:
    index = Index.open(folder, MANIFEST)
    assert index.documents_count == 3
    assert index.occurrences(span) == occurrences
    assert index.holders(span) == holders


def test_index__span_in_too_many_documents__has_no_holders(make_index) -> None:
    index = Index.open(make_index([(f"{n:064x}", "same words") for n in range(17)]), MANIFEST)
    assert index.occurrences(" same words ") == 17
    assert index.holders(" same words ") is None


def test_index__span_too_frequent_to_read__has_no_holders(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(reader, "OCCURRENCES_READ_MAX", 2)
    assert Index.open(folder, MANIFEST).holders(" mill ") is None


@pytest.mark.parametrize(
    "name", ["documents.json", "index.json", "offset.0", "table.0", "tokenized.0"]
)
@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_open__file_missing_or_changed__is_unavailable(
    folder: Path, name: str, damage: str
) -> None:
    path = folder / name
    data = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(data[:-1] + b"\x01")
    with pytest.raises(IndexUnavailableError):
        Index.open(folder, MANIFEST)


def test_open__index_of_another_manifest__is_unavailable(folder: Path) -> None:
    with pytest.raises(IndexUnavailableError, match="Another"):
        Index.open(folder, "1" * 64)


def test_open__index_of_another_method__is_unavailable(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(reader, "METHOD", "spans-2")
    with pytest.raises(IndexUnavailableError, match="Another"):
        Index.open(folder, MANIFEST)


@pytest.mark.parametrize(
    ("datanet", "manifest"),
    [("rivers", "1" * 64), ("Rivers", MANIFEST), ("../rivers", MANIFEST), ("rivers", "../x"),
     ("", ""), ("rivers\n", MANIFEST)],
)  # fmt: skip
def test_indexes__name_without_index__is_unavailable(
    tmp_path: Path, folder: Path, datanet: str, manifest: str
) -> None:
    place(folder, tmp_path, "rivers")
    with pytest.raises(IndexUnavailableError):
        Indexes(tmp_path).get(datanet, manifest)


def test_indexes__index_appears_after_a_failure__is_opened(tmp_path: Path, folder: Path) -> None:
    indexes = Indexes(tmp_path)
    with pytest.raises(IndexUnavailableError):
        indexes.get("rivers", MANIFEST)
    place(folder, tmp_path, "rivers")
    assert indexes.get("rivers", MANIFEST).documents_count == 3


def test_indexes__more_than_may_be_open__least_recently_used_is_closed(
    tmp_path: Path, folder: Path, monkeypatch
) -> None:
    monkeypatch.setattr(reader, "INDEXES_OPEN_MAX", 2)
    for name in ("one", "two", "three"):
        place(folder, tmp_path, name)
    indexes = Indexes(tmp_path)
    one, two = indexes.get("one", MANIFEST), indexes.get("two", MANIFEST)
    assert indexes.get("one", MANIFEST) is one
    indexes.get("three", MANIFEST)
    assert indexes.get("one", MANIFEST) is one
    assert indexes.get("two", MANIFEST) is not two


@pytest.mark.parametrize("documents", [[], [{"document": "a" * 64}]])
def test_indexes__manifest_without_index__is_empty_only_if_it_has_no_documents(
    tmp_path: Path, documents: list[dict[str, str]]
) -> None:
    data = json.dumps({"documents": documents}).encode()
    manifest = hashlib.sha256(data).hexdigest()
    path = tmp_path / "datanets" / "rivers" / "manifests" / f"{manifest}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    if documents:
        with pytest.raises(IndexUnavailableError):
            Indexes(tmp_path).get("rivers", manifest)
    else:
        assert Indexes(tmp_path).get("rivers", manifest).documents_count == 0


def test_indexes__empty_manifest_is_damaged__is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "datanets" / "rivers" / "manifests" / f"{MANIFEST}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"documents": []}')
    with pytest.raises(IndexUnavailableError):
        Indexes(tmp_path).get("rivers", MANIFEST)
