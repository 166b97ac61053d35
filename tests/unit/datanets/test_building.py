import os
from collections.abc import Callable
from pathlib import Path

import pytest

from distributary.datanets.building import build_state
from distributary.datanets.documents import make_document
from distributary.datanets.manifests import (
    Entry,
    Manifest,
    index_folder,
    make_manifest,
    manifest_path,
    read_pointer,
)
from distributary.datanets.retrieval import Retriever
from distributary.datanets.texts import text_path, write_texts
from distributary.errors import DistributaryError

STEPS_MAX = 200


class Crash(BaseException):
    """The process dies here; nothing in the code under test may catch it."""


def build_attribution(documents: list[tuple[str, str]], out: Path, manifest_hash: str) -> None:
    out.mkdir()
    (out / "index.json").write_text(manifest_hash + str(documents))


def ignore(manifest: Manifest) -> None:
    """Records nothing."""


def stored(lake: Path, *texts: str) -> Manifest:
    documents = [make_document(text, "author", "MIT") for text in texts]
    write_texts(lake, documents)
    return make_manifest("a", (Entry(d.hash, d.owner, d.licence, len(d.data)) for d in documents))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def crash_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Lets the process die just before its `step`-th effect on the disk."""
    left = step

    def dying(effect: Callable[..., object]) -> Callable[..., object]:
        def act(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            return effect(*arguments, **options)

        return act

    for name in ("mkdir", "fsync", "replace", "rename", "unlink"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


def test_build_state__killed_before_any_effect__old_state_stays_and_a_second_run_completes(
    tmp_path: Path,
) -> None:
    expected = tmp_path / "expected"
    build_state(expected, stored(expected, "a heron", "new fish"), build_attribution, ignore)
    for step in range(STEPS_MAX):
        lake = tmp_path / str(step)
        old = stored(lake, "a heron")
        build_state(lake, old, build_attribution, ignore)
        new = stored(lake, "a heron", "new fish")
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, step)
            try:
                build_state(lake, new, build_attribution, ignore)
            except Crash:
                pass
            else:
                break
        current = read_pointer(lake, "a")
        assert current in (old.hash, new.hash)
        assert Retriever(lake).retrieve("a", "heron", 1).manifest_hash == current
        build_state(lake, new, build_attribution, ignore)
        assert Retriever(lake).retrieve("a", "fish", 1).manifest_hash == new.hash
        assert files(index_folder(lake, "a", new.hash)) == files(
            index_folder(expected, "a", new.hash)
        )
        left = [path.name for path in index_folder(lake, "a", new.hash).parent.iterdir()]
        assert sorted(left) == sorted([old.hash, new.hash])
    else:
        pytest.fail("It never ran through.")
    assert step > 10


def test_build_state__same_manifest_in_two_lakes__same_bytes(tmp_path: Path) -> None:
    for lake in (tmp_path / "one", tmp_path / "two"):
        build_state(lake, stored(lake, "heron", "fish"), build_attribution, ignore)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_build_state__already_current__does_nothing(tmp_path: Path) -> None:
    manifest = stored(tmp_path, "heron")
    assert build_state(tmp_path, manifest, build_attribution, ignore) is True
    assert build_state(tmp_path, manifest, build_attribution, ignore) is False


def test_build_state__no_documents__attribution_index_but_no_retrieval(tmp_path: Path) -> None:
    manifest = stored(tmp_path)
    build_state(tmp_path, manifest, build_attribution, ignore)
    folder = index_folder(tmp_path, "a", manifest.hash)
    assert [path.name for path in folder.iterdir()] == ["attribution"]
    assert Retriever(tmp_path).retrieve("a", "heron", 1).passages == ()


def test_build_state__registry_refuses_the_manifest__pointer_stays(tmp_path: Path) -> None:
    def refuse(manifest: Manifest) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        build_state(tmp_path, stored(tmp_path, "heron"), build_attribution, refuse)
    assert read_pointer(tmp_path, "a") is None


def test_build_state__damaged_text__nothing_built(tmp_path: Path) -> None:
    manifest = stored(tmp_path, "heron")
    text_path(tmp_path, manifest.documents[0].document).write_text("other")
    with pytest.raises(DistributaryError) as caught:
        build_state(tmp_path, manifest, build_attribution, ignore)
    assert caught.value.code == "text_damaged"
    assert read_pointer(tmp_path, "a") is None


def test_build_state__builder_fails__nothing_left_and_pointer_stays(tmp_path: Path) -> None:
    def fail(documents: list[tuple[str, str]], out: Path, manifest_hash: str) -> None:
        raise DistributaryError("Building failed.", code="index_failed")

    old = stored(tmp_path, "heron")
    build_state(tmp_path, old, build_attribution, ignore)
    new = stored(tmp_path, "heron", "fish")
    with pytest.raises(DistributaryError):
        build_state(tmp_path, new, fail, ignore)
    assert read_pointer(tmp_path, "a") == old.hash
    assert [p.name for p in index_folder(tmp_path, "a", old.hash).parent.iterdir()] == [old.hash]


def test_build_state__newer_state__older_manifest_and_indexes_stay(tmp_path: Path) -> None:
    old, new = stored(tmp_path, "heron"), stored(tmp_path, "fish")
    build_state(tmp_path, old, build_attribution, ignore)
    build_state(tmp_path, new, build_attribution, ignore)
    assert manifest_path(tmp_path, "a", old.hash).exists()
    assert index_folder(tmp_path, "a", old.hash).exists()
