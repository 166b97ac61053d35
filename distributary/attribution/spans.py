"""Words, and the exact spans of them that two texts have in common."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

# Scripts written without spaces: each character is a word of its own.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD: Final = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+")
WORD_CHARACTERS_MAX: Final = 64

Span = tuple[int, int]


def words(text: str, words_max: int) -> list[str]:
    """The first `words_max` words of a text, compatibility-composed (NFKC) and case-folded.

    What is neither letter nor digit separates words; a word longer than 64 characters is cut.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = []
    for match in _WORD.finditer(folded):
        if len(found) == words_max:
            break
        found.append(match.group()[:WORD_CHARACTERS_MAX])
    return found


def line(sequence: Sequence[str]) -> str:
    """Words as one line in which a span can be searched as text: each between single spaces."""
    return f" {' '.join(sequence)} " if sequence else ""


def maximal_spans(
    sequence: Sequence[str], contains: Callable[[str], bool], words_min: int = 1
) -> list[Span]:
    """The contained spans of at least `words_min` words that lie within no other contained span.

    `contains` gets a `line`, and must hold for every part of what it holds for. Spans are
    half-open, in order; there are at most 2 len(sequence) calls.
    """
    spans: list[Span] = []
    end = 0
    for start in range(len(sequence) - words_min + 1):
        known = reached = max(end, start + words_min - 1)
        while reached < len(sequence) and contains(line(sequence[start : reached + 1])):
            reached += 1
        if reached > known:
            spans.append((start, reached))
            end = reached
    return spans


def longest_cover(length: int, spans: Sequence[Span]) -> list[int]:
    """For each of `length` positions, the words of the longest span that covers it, or 0."""
    cover = [0] * length
    for start, end in spans:
        for position in range(start, end):
            cover[position] = max(cover[position], end - start)
    return cover
