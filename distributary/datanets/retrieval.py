"""Retrieval for the inference job: the passages of a question, from the current state of a datanet.

It reads files only, so that answers go on when the registry does not.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from distributary.datanets.bm25 import Bm25
from distributary.datanets.manifests import (
    index_folder,
    read_manifest,
    read_pointer,
)
from distributary.datanets.texts import read_text
from distributary.errors import DistributaryError, InputError

_log = logging.getLogger(__name__)

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


@dataclass
class _Open:
    """A loaded state, and when it was last known to be current; a damaged one is loaded again."""

    checked_s: float
    manifest_hash: str
    documents: tuple[str, ...]
    index: Bm25 | None
    damaged: bool = False


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
            InputError: `unknown_manifest`: the lake lacks what its pointer names.
            DistributaryError: `datanet_unreadable`: the lake is not there; `manifest_damaged`,
                `index_unreadable`, `text_missing`, `text_damaged`.
        """
        state = self._current(datanet)
        found = self._search(datanet, state, question, count)
        return Retrieved(
            state.manifest_hash,
            tuple(Passage(document, read_text(self._lake, document)) for document in found),
        )

    def _search(self, datanet: str, state: _Open, question: str, count: int) -> list[str]:
        if state.index is None:
            return []
        try:
            return [state.documents[number] for number in state.index.search(question, count)]
        except (LookupError, ValueError, TypeError) as error:
            # Built anew it has the same hash, which alone would be no reason to load it again.
            state.damaged = True
            raise self._unreadable(datanet, state.manifest_hash) from error

    def _current(self, datanet: str) -> _Open:
        now_s = self._clock()
        state = self._open.get(datanet)
        if state is not None and now_s - state.checked_s < POINTER_AGE_S_MAX:
            return state
        # While one thread loads a new state, the others go on with the old one.
        if not self._lock.acquire(blocking=state is None):
            return cast("_Open", state)
        try:
            return self._refresh(datanet, self._open.get(datanet), now_s)
        finally:
            self._lock.release()

    def _refresh(self, datanet: str, known: _Open | None, now_s: float) -> _Open:
        manifest_hash = read_pointer(self._lake, datanet)
        if manifest_hash is None:
            # A lake that is not mounted says nothing about its datanets.
            if not (self._lake / "datanets").is_dir():
                raise DistributaryError(
                    "The lake has no folder of datanets: mount it, or add the first datanet.",
                    value=str(self._lake),
                    code="datanet_unreadable",
                )
            self._open.pop(datanet, None)
            raise InputError(
                "There is no such datanet: see `distributary datanet list`.",
                value=datanet,
                code="unknown_datanet",
            )
        if known is None or known.damaged or known.manifest_hash != manifest_hash:
            known = self._load_or_keep(datanet, manifest_hash, known)
        known.checked_s = now_s
        self._open[datanet] = known
        self._open.move_to_end(datanet)
        while len(self._open) > DATANETS_OPEN_MAX:
            self._open.popitem(last=False)
        return known

    def _load_or_keep(self, datanet: str, manifest_hash: str, known: _Open | None) -> _Open:
        try:
            return self._load(datanet, manifest_hash)
        except DistributaryError as error:
            if known is None:
                raise
            # Answers go on, and name the manifest that they were made with.
            kept = {"datanet": datanet, "manifest": known.manifest_hash, "error": str(error)}
            _log.warning({"msg": "a datanet stays at its last readable state", **kept})
            return known

    def _load(self, datanet: str, manifest_hash: str) -> _Open:
        manifest = read_manifest(self._lake, datanet, manifest_hash)
        documents = tuple(entry.document for entry in manifest.documents)
        folder = index_folder(self._lake, datanet, manifest_hash) / "bm25"
        try:
            index = Bm25(folder) if documents else None
        except (OSError, EOFError, LookupError, ValueError, TypeError, AttributeError) as error:
            raise self._unreadable(datanet, manifest_hash) from error
        return _Open(0.0, manifest_hash, documents, index)

    def _unreadable(self, datanet: str, manifest_hash: str) -> DistributaryError:
        return DistributaryError(
            "The retrieval index of a datanet cannot be read: delete its folder and add to the "
            "datanet again.",
            value=str(index_folder(self._lake, datanet, manifest_hash)),
            code="index_unreadable",
        )
