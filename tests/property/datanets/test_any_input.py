import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from distributary.datanets.documents import make_document
from distributary.datanets.manifests import Entry, make_manifest
from distributary.datanets.paragraphs import markdown_paragraphs, rst_paragraphs
from distributary.datanets.reading import Defaults, read_all
from distributary.datanets.texts import read_texts, write_texts
from distributary.errors import InputError

TEXT = st.text(min_size=1, max_size=200).filter(
    lambda text: bool(text.strip()) and "\0" not in text and not text.startswith("\ufeff")
)
LABEL = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20).filter(
    str.isprintable
)
GIVEN = Defaults("author", "MIT")


@given(st.lists(st.tuples(TEXT, LABEL), min_size=1, max_size=10))
def test_read_all__jsonl_of_any_text__same_texts(records: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "d.jsonl")
        lines = (json.dumps({"text": text, "title": title}) for text, title in records)
        path.write_text("\n".join(lines))
        assert [document.text for document in read_all([path], GIVEN)] == [t for t, _ in records]


@given(st.binary(max_size=300), st.sampled_from(["a.txt", "a.jsonl"]))
def test_read_all__any_bytes__documents_or_a_refusal_that_names_the_file(
    data: bytes, name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        said = ""
        documents = []
        try:
            documents = read_all([path], GIVEN)
        except InputError as error:
            said = str(error)
    assert not said or name in said
    assert all("\0" not in document.text for document in documents)


@given(st.lists(TEXT, unique=True, max_size=8), st.randoms())
def test_manifest__any_order_of_documents__same_bytes(texts: list[str], order: object) -> None:
    documents = [make_document(text, "author", "MIT") for text in texts]
    entries = [Entry(d.hash, d.owner, d.licence, len(d.data)) for d in documents]
    forward = make_manifest("a", entries)
    order.shuffle(entries)  # type: ignore[attr-defined]
    assert make_manifest("a", entries).data == forward.data


@settings(deadline=None)  # it waits for a disk
@given(st.lists(TEXT, max_size=8))
def test_texts__any_text__read_back(texts: list[str]) -> None:
    documents = [make_document(text, "author", "MIT") for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        write_texts(Path(folder), documents)
        found = read_texts(Path(folder), (document.hash for document in documents))
    assert found == {document.hash: document.text for document in documents}


@given(st.text(max_size=500))
def test_paragraphs__any_text__one_line_each_and_no_error(text: str) -> None:
    for paragraph in (*markdown_paragraphs(text), *rst_paragraphs(text)):
        assert paragraph.text == " ".join(paragraph.text.split())
