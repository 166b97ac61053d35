"""Texts by honest authors, made by the test: each its own words and facts, all the same language.

A text has some 120 words. Half of its content words are of a vocabulary that all texts share, as
texts of one language and subject do; the rest are its own.
"""

import random
from functools import cache

_SYLLABLES = [one + two for one in "bdfghklmnprstvz" for two in "aeiou"]
_SHORT = ("the", "of", "and", "in", "to", "a", "is", "was", "for", "by", "on", "as", "at", "it")
SHARED_WORDS = 400


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))


@cache
def shared_words() -> tuple[str, ...]:
    """The words of the language that every text uses."""
    rng = random.Random("language")
    return tuple(_word(rng) for _ in range(SHARED_WORDS))


@cache
def honest_text(number: int, sentences: int = 9) -> str:
    """The text with this number; the same at every call."""
    rng = random.Random(f"text {number}")
    own = [_word(rng) for _ in range(60)]
    said = []
    for _ in range(sentences):
        words = []
        for _ in range(7):
            words.append(rng.choice(_SHORT))
            words.append(rng.choice(own if rng.random() < 0.5 else shared_words()))
        said.append(" ".join(words).capitalize() + ".")
    return " ".join(said)
