"""A corpus in memory: the plainest reading of `Corpus`, against which the index is held."""

from dataclasses import dataclass

from distributary.attribution.spans import line, words
from distributary.attribution.weights import SHARERS_MAX

WORDS_MAX = 1_000_000


@dataclass
class PlainCorpus:
    documents: list[tuple[str, str]]

    def __post_init__(self) -> None:
        self.documents_count = len(self.documents)
        self._lines = {d: line(words(text, WORDS_MAX)) for d, text in self.documents}

    def occurrences(self, span: str) -> int:
        return sum(
            text.startswith(span, at) for text in self._lines.values() for at in range(len(text))
        )

    def holders(self, span: str) -> list[str] | None:
        held = sorted(document for document, text in self._lines.items() if span in text)
        return held if len(held) <= SHARERS_MAX else None
