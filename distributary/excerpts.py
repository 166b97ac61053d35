"""The piece of a document that is shown for a question: documents are long, prompts are short."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from distributary.attribution.spans import words
from distributary.attribution.weights import rarity

TEXT_CHARACTERS_MAX: Final = 65_536  # what comes after these is not looked at
PIECE_CHARACTERS_MAX: Final = 400
QUESTION_WORDS_MAX: Final = 256
TEXTS_KEPT_MAX: Final = 256
_PARAGRAPH: Final = re.compile(r"\S(?:.|\n(?!\s*\n))*")
_SENTENCE: Final = re.compile(
    rf"\S.{{0,{PIECE_CHARACTERS_MAX - 2}}}(?:[.!?](?=\s|$)|[。！？]|\s|$)"  # noqa: RUF001
    rf"|\S{{1,{PIECE_CHARACTERS_MAX}}}",
    re.DOTALL,
)

Piece = tuple[int, int, frozenset[str]]


def excerpt(question: str, text: str, characters_max: int) -> str:
    """The consecutive pieces of `text` that have most of the question's words, rare ones first.

    Pieces are paragraphs, long ones cut at sentences. The first best place wins; a question that
    shares no word with the text gets its beginning.

    Args:
        question: what is asked.
        text: the document.
        characters_max: length of the excerpt, at most.
    """
    if len(text) <= characters_max:
        return text.strip()
    pieces = _pieces(text[:TEXT_CHARACTERS_MAX])
    asked = frozenset(words(question, QUESTION_WORDS_MAX))
    held = [piece[2] & asked for piece in pieces]
    known = Counter(chain.from_iterable(held))
    worths = {word: rarity(count, len(pieces)) for word, count in known.items()}
    start, end = _best(pieces, held, worths, characters_max)
    return text[start : min(end, start + characters_max)].strip()


def _best(
    pieces: Sequence[Piece],
    held: Sequence[frozenset[str]],
    worths: Mapping[str, int],
    characters_max: int,
) -> tuple[int, int]:
    """Start and end of the first run of pieces whose words are worth most together."""
    best_score, best = 0, (0, characters_max)
    within: Counter[str] = Counter()
    after = 0
    for first, (start, end, _) in enumerate(pieces):
        while after <= first or (
            after < len(pieces) and pieces[after][1] - start <= characters_max
        ):
            within.update(held[after])
            after += 1
        score = sum(worths[word] for word, count in within.items() if count)
        if score > best_score:
            best_score, best = score, (start, max(end, pieces[after - 1][1]))
        within.subtract(held[first])
    return best


@lru_cache(TEXTS_KEPT_MAX)
def _pieces(text: str) -> tuple[Piece, ...]:
    return tuple(
        (start, end, frozenset(words(text[start:end], PIECE_CHARACTERS_MAX)))
        for paragraph in _PARAGRAPH.finditer(text)
        for start, end in _cut(text, *paragraph.span())
    )


def _cut(text: str, start: int, end: int) -> list[tuple[int, int]]:
    if end - start <= PIECE_CHARACTERS_MAX:
        return [(start, end)]
    return [match.span() for match in _SENTENCE.finditer(text, start, end)]
