"""Attribution method `spans-1`: who explains the words of an answer, by exact spans.

Each word of the answer has a worth: its rarity in the datanet, or nothing if the question has it.
The worth of a word goes to the documents with the longest exact span around it, in equal parts:

1. to passages that were shown: a word of theirs was before the model's eyes. Over 31 right
   answers to XQuAD questions, with the gold and another paragraph shown, the gold one got 0.86 of
   the data weight and was the top document of 29; commons got 0.31 of all;
2. to other documents of the datanet manifest only for a span of at least `UNSEEN_WORDS_MIN` words
   that is longer than any in a shown passage (OLMoTrace, arXiv:2504.07096): a model repeats
   such a text by memory, not by chance;
3. to commons, if nothing explains it, or more than `SHARERS_MAX` documents do.

At most `DOCUMENTS_MAX` documents earn by one answer, those with most credit; the rest of it goes to
commons, so that no text a node returns can make the record of its answer large.

Everything is integer and independent of the order of passages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from distributary.apportion import largest_remainder
from distributary.attribution.spans import line, longest_cover, maximal_spans, words
from distributary.attribution.weights import CREDIT_UNIT, SHARERS_MAX, WHOLE, rarity
from distributary.errors import InputError

METHOD: Final = "spans-1"
COMMONS: Final = "commons"

ANSWER_WORDS_MAX: Final = 1_024  # words after these are not looked at
PASSAGE_WORDS_MAX: Final = 65_536
UNSEEN_WORDS_MIN: Final = 8
DOCUMENTS_MAX: Final = 64
LINES_KEPT_MAX: Final = 256


class Corpus(Protocol):
    """What the method needs of a datanet's index; spans are lines (`spans.line`)."""

    documents_count: int

    def occurrences(self, span: str) -> int:
        """How often a span occurs in the datanet."""
        ...

    def holders(self, span: str) -> Sequence[str] | None:
        """The documents that hold a span; None if there are more than `SHARERS_MAX`."""
        ...


@dataclass(frozen=True)
class Attribution:
    """Weights of one answer; they and `commons` sum to 1,000,000,000 exactly.

    Attributes:
        weights: (document, positive weight), sorted by document hash.
        commons: what nothing explains.
    """

    weights: tuple[tuple[str, int], ...]
    commons: int


def attribute(
    answer: str, question: str, passages: Sequence[tuple[str, str]], corpus: Corpus
) -> Attribution:
    """Divides an answer over documents; nothing at all explains an empty one, so commons has it.

    Args:
        answer: the text that the node returned.
        question: what the customer asked.
        passages: (document hash, text) of what was shown; a document may come twice.
        corpus: the index of the datanet manifest named on the answer.

    Raises:
        InputError: `too_many_passages`: more documents than `SHARERS_MAX` were shown.
    """
    shown = _by_document(passages)
    said = words(answer, ANSWER_WORDS_MAX)
    asked = set(words(question, PASSAGE_WORDS_MAX))
    worths = _worths(said, asked, corpus)
    claims = _claims(said, shown, corpus)
    credit: dict[str, int] = {}
    for worth, claimants in zip(worths, claims, strict=True):
        for claimant in claimants or (COMMONS,):
            share = worth * (CREDIT_UNIT // max(1, len(claimants)))
            credit[claimant] = credit.get(claimant, 0) + share
    return _whole(credit)


@lru_cache(LINES_KEPT_MAX)
def _passage_line(text: str) -> str:
    return line(words(text, PASSAGE_WORDS_MAX))


def _by_document(passages: Sequence[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    shown: dict[str, tuple[str, ...]] = {}
    for document, text in passages:
        shown[document] = (*shown.get(document, ()), _passage_line(text))
    if len(shown) > SHARERS_MAX:
        raise InputError(
            f"Attribute over at most {SHARERS_MAX} documents.",
            value=len(shown),
            code="too_many_passages",
        )
    return shown


def _worths(said: Sequence[str], asked: set[str], corpus: Corpus) -> list[int]:
    count = corpus.documents_count
    told = {
        word: 0 if word in asked else rarity(corpus.occurrences(line([word])), count)
        for word in dict.fromkeys(said)
    }
    return [told[word] for word in said]


def _claims(
    said: Sequence[str], shown: Mapping[str, tuple[str, ...]], corpus: Corpus
) -> list[Sequence[str]]:
    """For each word, the documents that explain it."""
    covers = {document: _cover(said, texts) for document, texts in shown.items()}
    longest = [max(column) for column in zip(*covers.values(), strict=True)] or [0] * len(said)
    claims: list[Sequence[str]] = [
        [document for document, cover in covers.items() if cover[position] == best] if best else ()
        for position, best in enumerate(longest)
    ]
    for start, end in _unseen(said, corpus):
        holders = corpus.holders(line(said[start:end])) or ()
        for position in range(start, end):
            if end - start > longest[position]:
                longest[position] = end - start
                claims[position] = holders
    return claims


def _cover(said: Sequence[str], texts: Sequence[str]) -> list[int]:
    def contains(span: str) -> bool:
        return any(span in text for text in texts)

    return longest_cover(len(said), maximal_spans(said, contains))


def _unseen(said: Sequence[str], corpus: Corpus) -> list[tuple[int, int]]:
    def contains(span: str) -> bool:
        return corpus.occurrences(span) > 0

    return maximal_spans(said, contains, UNSEEN_WORDS_MIN)


def _whole(credit: Mapping[str, int]) -> Attribution:
    if not any(credit.values()):
        return Attribution((), WHOLE)
    documents = sorted(
        credit.keys() - {COMMONS}, key=lambda document: (-credit[document], document)
    )
    kept = {document: credit[document] for document in documents[:DOCUMENTS_MAX]}
    parts = largest_remainder(WHOLE, kept | {COMMONS: sum(credit.values()) - sum(kept.values())})
    commons = parts.pop(COMMONS)
    return Attribution(tuple(sorted((d, w) for d, w in parts.items() if w)), commons)
