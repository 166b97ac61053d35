"""BM25 over the documents of a manifest, kept in memory-mapped files (the format of `bm25s`)."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from bm25s.stopwords import STOPWORDS_EN_PLUS

from distributary.attribution.spans import words
from distributary.datanets.documents import DOCUMENT_BYTES_MAX

K1, B = 1.5, 0.75
"""The defaults of Lucene's formula in `bm25s`, with which the retrieval was measured."""

QUESTION_CHARACTERS_MAX = 8_192
"""Only the end of a longer question is read: that is where a prompt asks."""

QUESTION_WORDS_MAX = 64
"""Only the rarest words count; a question of 64 different words says enough."""

# bm25s turns its own debug messages on.
logging.getLogger("bm25s").setLevel(logging.WARNING)

_FREQUENT = frozenset(STOPWORDS_EN_PLUS)
_WORDLESS = ""


def topic_words(text: str) -> list[str]:
    """The words of a text as attribution counts them, without English ones that carry no topic."""
    return [word for word in words(text, DOCUMENT_BYTES_MAX) if word not in _FREQUENT]


def build_bm25(texts: Iterable[str], out: Path) -> None:
    """Indexes `texts`, in the order given, into folder `out`: same texts, same bytes.

    Args:
        texts: at least one text.
        out: a folder, made if it is not there.
    """
    seen: dict[str, int] = {}
    numbers = [
        [seen.setdefault(word, len(seen)) for word in topic_words(text) or [_WORDLESS]]
        for text in texts
    ]
    vocabulary = {word: number for number, word in enumerate(sorted(seen))}
    renumbered = [vocabulary[word] for word in seen]
    numbers = [[renumbered[number] for number in document] for document in numbers]
    model = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numpy", csc_backend="numpy")
    model.index((numbers, vocabulary), create_empty_token=False, show_progress=False)
    model.save(out)


class Bm25:
    """An index, open for reading; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        model = bm25s.BM25.load(folder, mmap=True)
        self._vocabulary: dict[str, int] = model.vocab_dict
        self._scores: np.ndarray[Any, Any] = model.scores["data"]
        self._documents: np.ndarray[Any, Any] = model.scores["indices"]
        self._bounds: list[int] = model.scores["indptr"].tolist()
        self.documents_count: int = model.scores["num_docs"]

    def _spans(self, question: str) -> list[tuple[int, int]]:
        known = {
            number
            for word in topic_words(question[-QUESTION_CHARACTERS_MAX:])
            if (number := self._vocabulary.get(word)) is not None
        }
        spans = [(self._bounds[number], self._bounds[number + 1]) for number in known]
        rarest = sorted(spans, key=lambda span: (span[1] - span[0], span[0]))
        return rarest[:QUESTION_WORDS_MAX]

    def search(self, question: str, count: int) -> Sequence[int]:
        """The numbers of the best documents, best first; equal scores by number.

        Args:
            question: any text.
            count: most documents to return; only documents with a score above zero are.
        """
        totals = np.zeros(self.documents_count, dtype=np.float32)
        for start, end in self._spans(question):
            totals[self._documents[start:end]] += self._scores[start:end]
        found = np.flatnonzero(totals)
        if found.size > count > 0:
            least = np.partition(totals[found], found.size - count)[found.size - count]
            found = found[totals[found] >= least]
        order = np.lexsort((found, -totals[found]))
        ranked: list[int] = found[order[:count]].tolist()
        return ranked
