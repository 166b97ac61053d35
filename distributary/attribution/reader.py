"""Searching the index of a datanet manifest, memory-mapped.

The search is our own: infini-gram's engine starts threads for each query, 0.2 ms, where a binary
search in its suffix array takes 0.02 ms.
"""

import hashlib
import json
import mmap
import re
from array import array
from bisect import bisect_right
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from distributary.attribution.files import IndexUnavailableError, digest, pointer_bytes
from distributary.attribution.method import METHOD
from distributary.attribution.weights import SHARERS_MAX

OCCURRENCES_READ_MAX: Final = 1_024  # a span that occurs more often is anyone's
WORDS_KEPT_MAX: Final = 65_536
INDEXES_OPEN_MAX: Final = 8
_NAME: Final = re.compile(r"[a-z0-9-]{1,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class Index:
    """An opened index; a `Corpus` of `distributary.attribution.method`."""

    def __init__(
        self,
        text: "mmap.mmap | bytes",
        table: "mmap.mmap | bytes",
        offsets: "array[int]",
        documents: list[str],
    ) -> None:
        self._text = text
        self._table = table
        self._offsets = offsets
        self._documents = documents
        self._width = pointer_bytes(len(text)) if len(text) else 1
        self.documents_count = len(documents)
        self.occurrences = lru_cache(WORDS_KEPT_MAX)(self._occurrences)

    @classmethod
    def open(cls, folder: Path, manifest_hash: str) -> Self:
        """Opens an index folder after checking every file's hash.

        Raises:
            IndexUnavailableError: it is missing, damaged, of another manifest or another method.
        """
        try:
            described = json.loads((folder / "index.json").read_bytes())
            if described["manifest"] != manifest_hash or described["method"] != METHOD:
                raise IndexUnavailableError("Another manifest's or method's index.")
            for name, expected in described["files"].items():
                if digest(folder / name) != expected:
                    raise IndexUnavailableError("A file of the index is damaged.", value=name)
            documents = json.loads((folder / "documents.json").read_bytes())
            offsets = array("Q", (folder / "offset.0").read_bytes())
            return cls(_map(folder / "tokenized.0"), _map(folder / "table.0"), offsets, documents)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexUnavailableError(
                f"The attribution index cannot be read: {type(error).__name__}.", value=str(folder)
            ) from error

    def _occurrences(self, span: str) -> int:
        first, last = self._segment(span)
        return last - first

    def holders(self, span: str) -> list[str] | None:
        """The documents that hold a span, sorted; None if more than `SHARERS_MAX` do."""
        first, last = self._segment(span)
        if last - first > OCCURRENCES_READ_MAX:
            return None
        numbers = {bisect_right(self._offsets, self._place(r)) - 1 for r in range(first, last)}
        if len(numbers) > SHARERS_MAX:
            return None
        return [self._documents[number] for number in sorted(numbers)]

    def _segment(self, span: str) -> tuple[int, int]:
        """The ranks of the suffixes that begin with `span`."""
        sought = span.encode()
        first = self._bound(sought, 0, after=False)
        return first, self._bound(sought, first, after=True)

    def _bound(self, sought: bytes, low: int, *, after: bool) -> int:
        text = self._text
        high = len(text)
        while low < high:
            middle = (low + high) // 2
            place = self._place(middle)
            prefix = text[place : place + len(sought)]
            if prefix < sought or (after and prefix == sought):
                low = middle + 1
            else:
                high = middle
        return low

    def _place(self, rank: int) -> int:
        start = rank * self._width
        return int.from_bytes(self._table[start : start + self._width], "little")


class Indexes:
    """The indexes of a lake, opened when first named; the least recently used are closed."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._open: OrderedDict[tuple[str, str], Index] = OrderedDict()

    def get(self, datanet: str, manifest_hash: str) -> Index:
        """The index of a datanet manifest; a failure is not remembered.

        Raises:
            IndexUnavailableError: the names are not ones, or see `Index.open`.
        """
        key = (datanet, manifest_hash)
        if key not in self._open:
            if not _NAME.fullmatch(datanet) or not _HASH.fullmatch(manifest_hash):
                raise IndexUnavailableError("Not a datanet and a manifest hash.", value=key)
            self._open[key] = self._load(self._lake / "datanets" / datanet, manifest_hash)
        self._open.move_to_end(key)
        while len(self._open) > INDEXES_OPEN_MAX:
            self._open.popitem(last=False)
        return self._open[key]

    def _load(self, folder: Path, manifest_hash: str) -> Index:
        index = folder / "indexes" / manifest_hash / "attribution"
        if not index.exists() and _is_empty(folder / "manifests" / f"{manifest_hash}.json"):
            return Index(b"", b"", array("Q"), [])
        return Index.open(index, manifest_hash)


def _is_empty(manifest: Path) -> bool:
    """Whether this is a manifest, undamaged, of no documents: none has an index."""
    try:
        data = manifest.read_bytes()
        listed = json.loads(data)["documents"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return listed == [] and hashlib.sha256(data).hexdigest() == manifest.stem


def _map(path: Path) -> "mmap.mmap | bytes":
    if path.stat().st_size == 0:
        return b""
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
