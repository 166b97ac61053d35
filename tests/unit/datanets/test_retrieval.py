import random
import shutil
import threading
from pathlib import Path

import pytest

from distributary.datanets.bm25 import build_bm25
from distributary.datanets.documents import Document, make_document
from distributary.datanets.manifests import (
    Entry,
    Manifest,
    drop_pointer,
    index_folder,
    make_manifest,
    swap_pointer,
    write_manifest,
)
from distributary.datanets.retrieval import POINTER_AGE_S_MAX, Retriever
from distributary.datanets.texts import text_path, write_texts
from distributary.errors import DistributaryError, InputError

TEXTS = (
    "The heron stands in the shallow river and waits for fish.",
    "A lighthouse keeper writes down every ship that passes.",
    "Bread rises because yeast turns sugar into gas.",
    "河の水は海へ流れる。",
    "!!! ???",
)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def publish(lake: Path, name: str, documents: list[Document]) -> Manifest:
    """Makes a state current, without an attribution index."""
    write_texts(lake, documents)
    entries = [Entry(d.hash, d.owner, d.licence, len(d.data)) for d in documents]
    manifest = make_manifest(name, entries)
    write_manifest(lake, manifest)
    texts = {document.hash: document.text for document in documents}
    if documents:
        ordered = [texts[entry.document] for entry in manifest.documents]
        build_bm25(ordered, index_folder(lake, name, manifest.hash) / "bm25")
    swap_pointer(lake, name, manifest.hash)
    return manifest


def documents(*texts: str) -> list[Document]:
    return [make_document(text, "author", "MIT") for text in texts]


def test_retrieve__a_question__best_passage_with_its_hash_and_manifest(tmp_path: Path) -> None:
    given = documents(*TEXTS)
    manifest = publish(tmp_path, "a", given)
    found = Retriever(tmp_path).retrieve("a", "Why does BREAD rise with yeast?", 2)
    assert found.manifest_hash == manifest.hash
    assert found.passages == ((given[2].hash, TEXTS[2]),)


@pytest.mark.parametrize(
    "question", ["", "\0", "and the of", "Привет, мир", "??!", "\ud800", "zzz " * 100_000]
)
def test_retrieve__nothing_in_common__no_passages(tmp_path: Path, question: str) -> None:
    publish(tmp_path, "a", documents(*TEXTS))
    assert Retriever(tmp_path).retrieve("a", question, 3).passages == ()


def test_retrieve__script_without_spaces__found(tmp_path: Path) -> None:
    publish(tmp_path, "a", documents(*TEXTS))
    passages = Retriever(tmp_path).retrieve("a", "海", 3).passages
    assert [passage.text for passage in passages] == [TEXTS[3]]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9])
def test_retrieve__equal_scores__in_order_of_hash(tmp_path: Path, count: int) -> None:
    given = documents(*(f"heron {number}" for number in range(9)))
    publish(tmp_path, "a", given)
    passages = Retriever(tmp_path).retrieve("a", "heron", count).passages
    assert [p.document for p in passages] == sorted(d.hash for d in given)[:count]


def test_retrieve__long_prompt__its_end_counts(tmp_path: Path) -> None:
    publish(tmp_path, "a", documents(*TEXTS))
    question = "heron " * 10_000 + " " * 8_192 + "lighthouse?"
    passages = Retriever(tmp_path).retrieve("a", question, 1).passages
    assert [passage.text for passage in passages] == [TEXTS[1]]


def test_retrieve__empty_datanet__no_passages_but_a_manifest(tmp_path: Path) -> None:
    manifest = publish(tmp_path, "a", [])
    assert Retriever(tmp_path).retrieve("a", "heron", 3) == (manifest.hash, ())


def test_retrieve__datanet_of_symbols_only__no_passages(tmp_path: Path) -> None:
    publish(tmp_path, "a", documents("!!!", "???"))
    assert Retriever(tmp_path).retrieve("a", "!!! heron", 3).passages == ()


@pytest.mark.parametrize(
    ("name", "code"), [("missing", "unknown_datanet"), ("../documents", "bad_datanet_name")]
)
def test_retrieve__no_such_datanet__refused(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "datanets").mkdir()
    with pytest.raises(InputError) as caught:
        Retriever(tmp_path).retrieve(name, "heron", 3)
    assert caught.value.code == code


def test_retrieve__pointer_swapped__new_state_within_a_second(tmp_path: Path) -> None:
    clock = Clock()
    retriever = Retriever(tmp_path, clock)
    old = publish(tmp_path, "a", documents(*TEXTS))
    assert retriever.retrieve("a", "heron", 1).manifest_hash == old.hash
    new = publish(tmp_path, "a", documents(*TEXTS, "Another heron."))
    clock.now_s += POINTER_AGE_S_MAX * 0.9
    assert retriever.retrieve("a", "heron", 1).manifest_hash == old.hash
    clock.now_s += POINTER_AGE_S_MAX * 0.2
    assert retriever.retrieve("a", "heron", 1).manifest_hash == new.hash


def test_retrieve__datanet_removed__unknown_then_known_again(tmp_path: Path) -> None:
    clock = Clock()
    retriever = Retriever(tmp_path, clock)
    manifest = publish(tmp_path, "a", documents(*TEXTS))
    retriever.retrieve("a", "heron", 1)
    drop_pointer(tmp_path, "a")
    clock.now_s += POINTER_AGE_S_MAX
    with pytest.raises(InputError):
        retriever.retrieve("a", "heron", 1)
    swap_pointer(tmp_path, "a", manifest.hash)
    assert retriever.retrieve("a", "heron", 1).manifest_hash == manifest.hash


def test_retrieve__lake_is_gone__unreadable_until_it_is_back_and_nothing_is_loaded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, lake = Clock(), tmp_path / "lake"
    retriever = Retriever(lake, clock)
    manifest = publish(lake, "a", documents(*TEXTS))
    retriever.retrieve("a", "heron", 1)
    lake.rename(tmp_path / "elsewhere")
    clock.now_s += POINTER_AGE_S_MAX
    for name in ("a", "never-loaded"):
        with pytest.raises(DistributaryError) as caught:
            retriever.retrieve(name, "heron", 1)
        assert caught.value.code == "datanet_unreadable"

    (tmp_path / "elsewhere").rename(lake)
    monkeypatch.setattr(retriever, "_load", None)
    assert retriever.retrieve("a", "heron", 1).manifest_hash == manifest.hash


def test_retrieve__index_is_damaged__is_named_and_a_new_one_is_loaded(tmp_path: Path) -> None:
    clock = Clock()
    retriever = Retriever(tmp_path, clock)
    manifest = publish(tmp_path, "a", documents(*TEXTS))
    folder = index_folder(tmp_path, "a", manifest.hash)
    whole = {path: path.read_bytes() for path in folder.rglob("*.npy")}
    for path, data in whole.items():
        if "indices" in path.name:
            path.write_bytes(data[:-4] + b"\xff\xff\xff\x7f")
    for _ in range(2):
        with pytest.raises(DistributaryError) as caught:
            retriever.retrieve("a", " ".join(TEXTS), 3)
        assert caught.value.code == "index_unreadable"
        assert str(folder) in str(caught.value)

    for path, data in whole.items():
        path.unlink()
        path.write_bytes(data)
    clock.now_s += POINTER_AGE_S_MAX
    assert len(retriever.retrieve("a", " ".join(TEXTS), 3).passages) == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"num_docs": "x"}'])
@pytest.mark.parametrize("name", ["params.index.json", "data.csc.index.npy"])
def test_retrieve__a_file_of_the_index_is_damaged__unreadable(
    tmp_path: Path, name: str, content: bytes
) -> None:
    manifest = publish(tmp_path, "a", documents(*TEXTS))
    (index_folder(tmp_path, "a", manifest.hash) / "bm25" / name).write_bytes(content)
    with pytest.raises(DistributaryError) as caught:
        Retriever(tmp_path).retrieve("a", "heron", 1)
    assert caught.value.code == "index_unreadable"


def test_retrieve__text_is_no_utf8__says_so(tmp_path: Path) -> None:
    given = documents("A heron.")
    publish(tmp_path, "a", given)
    text_path(tmp_path, given[0].hash).write_bytes(b"\xff")
    with pytest.raises(DistributaryError) as caught:
        Retriever(tmp_path).retrieve("a", "heron", 1)
    assert caught.value.code == "text_damaged"


def test_retrieve__new_state_cannot_be_read__old_one_goes_on(tmp_path: Path) -> None:
    clock = Clock()
    retriever = Retriever(tmp_path, clock)
    old = publish(tmp_path, "a", documents(*TEXTS))
    retriever.retrieve("a", "heron", 1)
    new = publish(tmp_path, "a", documents(*TEXTS, "Another heron."))
    shutil.rmtree(index_folder(tmp_path, "a", new.hash))
    clock.now_s += POINTER_AGE_S_MAX
    assert retriever.retrieve("a", "heron", 1).manifest_hash == old.hash
    with pytest.raises(DistributaryError) as caught:
        Retriever(tmp_path).retrieve("a", "heron", 1)
    assert caught.value.code == "index_unreadable"


def test_retrieve__many_threads_while_states_change__each_passage_is_of_its_manifest(
    tmp_path: Path,
) -> None:
    clock = Clock()
    retriever = Retriever(tmp_path, clock)
    states = {}
    for number in range(4):
        given = documents(f"heron {number}", "lighthouse")
        states[publish(tmp_path, "a", given).hash] = f"heron {number}"
    wrong: list[object] = []

    def ask(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(100):
            clock.now_s += choose.choice([0, POINTER_AGE_S_MAX])
            swap_pointer(tmp_path, "a", choose.choice(sorted(states)))
            found = retriever.retrieve("a", "heron", 1)
            if [passage.text for passage in found.passages] != [states[found.manifest_hash]]:
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_build_bm25__same_texts__same_bytes(tmp_path: Path) -> None:
    build_bm25(TEXTS, tmp_path / "one")
    build_bm25(list(TEXTS), tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
