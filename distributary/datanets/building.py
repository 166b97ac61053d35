"""Builds the indexes of a manifest and makes it the current one.

Every step is safe to repeat and leaves the old state current until the pointer is swapped:

1. the manifest's file;
2. both indexes, in a temporary sibling of their folder, checked and made durable;
3. their folder renamed into place;
4. the manifest's row in the registry, so that what answers name is always known there;
5. the pointer.

Old manifests and indexes are kept: epochs and audits go on using them.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from distributary.datanets.bm25 import Bm25, build_bm25
from distributary.datanets.durable import make_folder, sync_folder, sync_tree
from distributary.datanets.manifests import (
    Manifest,
    index_folder,
    read_pointer,
    swap_pointer,
    write_manifest,
)
from distributary.datanets.texts import read_texts
from distributary.errors import DistributaryError


class BuildAttribution(Protocol):
    """Builds the attribution index of (document hash, text) pairs into folder `out`."""

    def __call__(self, documents: list[tuple[str, str]], out: Path, manifest_hash: str) -> None:
        """Builds and checks the index."""


def build_state(
    lake: Path,
    manifest: Manifest,
    build_attribution: BuildAttribution,
    record: Callable[[Manifest], None],
) -> bool:
    """Makes a manifest the current state of its datanet; False if it was already.

    Args:
        lake: the lake folder; the texts are there.
        manifest: the new state.
        build_attribution: builds the other index.
        record: stores the manifest's row, durably.

    Raises:
        DistributaryError: a text is missing or damaged, or `index_wrong`.
    """
    folder = index_folder(lake, manifest.name, manifest.hash)
    if folder.exists() and read_pointer(lake, manifest.name) == manifest.hash:
        return False
    write_manifest(lake, manifest)
    build_indexes(lake, manifest, build_attribution)
    record(manifest)
    swap_pointer(lake, manifest.name, manifest.hash)
    return True


def build_indexes(lake: Path, manifest: Manifest, build_attribution: BuildAttribution) -> None:
    """Builds what is not there yet; retrieval needs no index where there are no documents."""
    folder = index_folder(lake, manifest.name, manifest.hash)
    if folder.exists():
        return
    texts = read_texts(lake, (entry.document for entry in manifest.documents))
    with _renamed_when_whole(folder) as temporary:
        if texts:
            build_bm25(texts.values(), temporary / "bm25")
            _check_bm25(temporary / "bm25", manifest)
        build_attribution(list(texts.items()), temporary / "attribution", manifest.hash)


def _check_bm25(folder: Path, manifest: Manifest) -> None:
    found = Bm25(folder).documents_count
    if found != len(manifest.documents):
        raise DistributaryError(
            "The retrieval index does not hold the manifest's documents: report this.",
            value=found,
            code="index_wrong",
        )


@contextmanager
def _renamed_when_whole(folder: Path) -> Iterator[Path]:
    make_folder(folder.parent)
    _sweep(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        sync_tree(temporary)
        temporary.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Deletes what a killed build left; the datanet's lock is held, so nobody is building it."""
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover)
