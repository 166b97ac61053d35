"""What is compared of a text to find copies: pairs of neighbouring content words, hashed.

A content word has four letters or more, or a digit; of scripts without spaces it is each run of
four characters. A pair has no order. So a replaced word costs two pairs, and other white space,
letters, punctuation, short words or a swap of neighbours cost next to nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Final

from distributary.attribution.spans import words
from distributary.datanets.documents import DOCUMENT_BYTES_MAX
from distributary.datanets.lookalikes import fold

CONTENT_CHARACTERS_MIN: Final = 4
UNSPACED_RUN: Final = 4
SHINGLES_MIN: Final = 10
"""A text with fewer is compared as a whole: so few words are said alike by chance."""

_UNSPACED_FROM: Final = "\u0e00"  # a word of one letter from here on is of an unspaced script


@dataclass(frozen=True)
class Shingled:
    """A text's shingles, 64 bits each, signed.

    Attributes:
        pairs: the pair of content words `i` and `i + 1`, for each `i`.
        whole: all words as one, of a text with fewer pairs than `SHINGLES_MIN`; else None.
    """

    pairs: tuple[int, ...]
    whole: int | None

    @property
    def all(self) -> tuple[int, ...]:
        """Every shingle, in the order of the text."""
        return self.pairs if self.whole is None else (*self.pairs, self.whole)


def shingle(text: str) -> Shingled:
    """The shingles of a text; texts that read alike have the same."""
    folded = fold(text)
    said = words(folded, DOCUMENT_BYTES_MAX)
    content = content_words(said)
    pairs = tuple(
        _hash(f"{one} {other}" if one <= other else f"{other} {one}")
        for one, other in pairwise(content)
    )
    if len(pairs) >= SHINGLES_MIN:
        return Shingled(pairs, None)
    return Shingled(pairs, _hash("\n" + (" ".join(said) or "".join(folded.split()))))


def content_words(said: Sequence[str]) -> list[str]:
    """The content words among the words of a text, in order."""
    content: list[str] = []
    run = ""
    for word in said:
        run = run + word if len(word) == 1 and word >= _UNSPACED_FROM else ""
        if len(run) >= UNSPACED_RUN:
            content.append(run[-UNSPACED_RUN:])
        elif len(word) >= CONTENT_CHARACTERS_MIN or any(map(str.isdigit, word)):
            content.append(word)
    return content


def _hash(words_: str) -> int:
    return int.from_bytes(blake2b(words_.encode(), digest_size=8).digest(), "big", signed=True)
