"""Retrieval for the inference job: the passages of a question, from the current state of a datanet.

It reads files only, so that answers go on when the registry does not.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from distributary.datanets.bm25 import Bm25
from distributary.datanets.manifests import (
    index_folder,
    pointer_path,
    read_manifest,
    read_pointer,
)
from distributary.datanets.texts import read_text
from distributary.errors import InputError

POINTER_AGE_S_MAX = 1.0
DATANETS_OPEN_MAX = 32


class Passage(NamedTuple):
    """A document that is shown to the model: its hash and text."""

    document: str
    text: str


class Retrieved(NamedTuple):
    """The passages of a question, best first, and the manifest that they come from."""

    manifest_hash: str
    passages: tuple[Passage, ...]


PointerStamp = tuple[int, int, int]


@dataclass
class _Open:
    """A loaded state, and when and from which pointer file it was last known to be current."""

    stamp: PointerStamp
    checked_s: float
    manifest_hash: str
    documents: tuple[str, ...]
    index: Bm25 | None


class Retriever:
    """Passages from the current state of each datanet; safe to use from several threads.

    Args:
        lake: the lake folder.
        clock: seconds of a monotonic clock.
    """

    def __init__(self, lake: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def retrieve(self, datanet: str, question: str, count: int) -> Retrieved:
        """Returns at most `count` passages for a question.

        A question that shares no word with any document has no passages. Documents of equal score
        come in the order of their hashes.

        Raises:
            InputError: `bad_datanet_name`, or `unknown_datanet`: it has no current state.
            DistributaryError: `manifest_damaged`, `text_missing`.
        """
        state = self._current(datanet)
        if state.index is None:
            return Retrieved(state.manifest_hash, ())
        found = (state.documents[number] for number in state.index.search(question, count))
        return Retrieved(
            state.manifest_hash,
            tuple(Passage(document, read_text(self._lake, document)) for document in found),
        )

    def _current(self, datanet: str) -> _Open:
        now_s = self._clock()
        state = self._open.get(datanet)
        if state is not None and now_s - state.checked_s < POINTER_AGE_S_MAX:
            return state
        with self._lock:
            state = self._open.get(datanet)
            if state is None or now_s - state.checked_s >= POINTER_AGE_S_MAX:
                state = self._refresh(datanet, state, now_s)
            return state

    def _refresh(self, datanet: str, known: _Open | None, now_s: float) -> _Open:
        stamp = self._stamp(datanet)
        if known is not None and known.stamp == stamp:
            known.checked_s = now_s
            return known
        manifest_hash = read_pointer(self._lake, datanet)
        if stamp is None or manifest_hash is None:
            self._open.pop(datanet, None)
            raise InputError(
                "There is no such datanet: see `distributary datanet list`.",
                value=datanet,
                code="unknown_datanet",
            )
        state = self._load(datanet, manifest_hash, stamp, now_s)
        self._open[datanet] = state
        self._open.move_to_end(datanet)
        while len(self._open) > DATANETS_OPEN_MAX:
            self._open.popitem(last=False)
        return state

    def _stamp(self, datanet: str) -> PointerStamp | None:
        try:
            status = pointer_path(self._lake, datanet).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _load(self, datanet: str, manifest_hash: str, stamp: PointerStamp, now_s: float) -> _Open:
        manifest = read_manifest(self._lake, datanet, manifest_hash)
        documents = tuple(entry.document for entry in manifest.documents)
        folder = index_folder(self._lake, datanet, manifest_hash) / "bm25"
        index = Bm25(folder) if documents else None
        return _Open(stamp, now_s, manifest_hash, documents, index)
