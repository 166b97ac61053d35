from pathlib import Path

import pytest

from distributary.datanets.documents import Document, make_document
from distributary.datanets.texts import read_texts, text_path, write_texts
from distributary.errors import DistributaryError, InputError


def documents(count: int) -> list[Document]:
    return [make_document(f"text {number}\r\n", "author", "MIT") for number in range(count)]


def test_read_texts__written__same_texts_in_the_order_asked(tmp_path: Path) -> None:
    given = documents(20)
    calls: list[int] = []
    write_texts(tmp_path, given, lambda: calls.append(1))
    asked = [document.hash for document in reversed(given)]
    assert list(read_texts(tmp_path, asked).items()) == [(d.hash, d.text) for d in reversed(given)]
    assert len(calls) == 20


def test_write_texts__damaged_file__mended(tmp_path: Path) -> None:
    (document,) = documents(1)
    write_texts(tmp_path, [document])
    text_path(tmp_path, document.hash).write_bytes(b"")
    with pytest.raises(DistributaryError) as caught:
        read_texts(tmp_path, [document.hash])
    assert caught.value.code == "text_damaged"
    write_texts(tmp_path, [document])
    assert read_texts(tmp_path, [document.hash]) == {document.hash: document.text}


def test_read_texts__missing__says_so(tmp_path: Path) -> None:
    with pytest.raises(DistributaryError) as caught:
        read_texts(tmp_path, ["0" * 64])
    assert caught.value.code == "text_missing"


def test_read_texts__path_as_hash__refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_texts(tmp_path, ["../secret"])
