"""A datanet in use: who is paid how much of the data money for a set of questions.

Retrieval, prompt assembly and attribution are the product's own. The model and the attribution
index are handed in, so that a test can pass its own.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from distributary.attribution.method import COMMONS, Corpus, attribute
from distributary.attribution.weights import WHOLE
from distributary.bodies import Message
from distributary.canonical import sha256_hex
from distributary.datanets.bm25 import Bm25, build_bm25
from distributary.datanets.copies import Place, find_copied
from distributary.datanets.retrieval import Passage
from distributary.datanets.shingles import shingle
from distributary.models import model
from distributary.prompts import PASSAGES_SHOWN_MAX, assemble
from distributary.prompts import Counter as TokenCounter

ANSWER_TOKENS = 32
MODEL = "smollm2-135m"


class Owned(NamedTuple):
    """A document with its owner; two owners may have one text, as they could without controls."""

    owner: str
    text: str

    @property
    def key(self) -> str:
        """What stands for the content hash."""
        return sha256_hex(f"{self.owner}\n{self.text}".encode())


class Round(NamedTuple):
    """Pay by owner, commons included, in parts of the questions' data money; and the answers."""

    pay: dict[str, float]
    answers: list[str]
    weights: list[dict[str, int]]


@dataclass(frozen=True)
class Market:
    """Questions that each pay the same.

    Attributes:
        questions: what is asked.
        answer: the model, prompts to answers.
        open_corpus: the attribution index of (document, text) pairs.
        counter: the model's tokenizer.
    """

    questions: Sequence[str]
    answer: Callable[[Sequence[str]], list[str]]
    open_corpus: Callable[[list[tuple[str, str]]], Corpus]
    counter: TokenCounter

    def ask(self, documents: Iterable[Owned]) -> Round:
        """Asks every question of a datanet that holds these documents."""
        by_key = {one.key: one for one in documents}
        ordered = [(key, by_key[key].text) for key in sorted(by_key)]
        shown = self._retrieve(ordered)
        prompts = [self._prompt(*pair) for pair in zip(self.questions, shown, strict=True)]
        answers = self.answer(prompts)
        corpus = self.open_corpus(ordered)
        weights = []
        for question, passages, answer in zip(self.questions, shown, answers, strict=True):
            made = attribute(
                answer, question, [(one.document, one.text) for one in passages], corpus
            )
            earned: Counter[str] = Counter({COMMONS: made.commons})
            for document, weight in made.weights:
                earned[by_key[document].owner] += weight
            weights.append(dict(earned))
        total: Counter[str] = Counter()
        for each in weights:
            total.update(each)
        whole = WHOLE * len(self.questions)
        return Round({owner: units / whole for owner, units in total.items()}, answers, weights)

    def _retrieve(self, ordered: list[tuple[str, str]]) -> list[list[Passage]]:
        with tempfile.TemporaryDirectory() as folder:
            build_bm25((text for _, text in ordered), Path(folder))
            index = Bm25(Path(folder))
            return [
                [Passage(*ordered[number]) for number in index.search(one, PASSAGES_SHOWN_MAX)]
                for one in self.questions
            ]

    def _prompt(self, question: str, passages: Sequence[Passage]) -> str:
        asked = [Message("user", question)]
        return assemble(model(MODEL), asked, passages, self.counter, ANSWER_TOKENS).prompt


class Registry:
    """The registry of shingles in memory: what registration decides, without Postgres."""

    def __init__(self) -> None:
        self._places: dict[int, Place] = {}

    def refuses(self, one: Owned) -> bool:
        """Whether a document is a near copy of others' documents."""
        return find_copied(shingle(one.text), self._places, one.owner) is not None

    def add(self, one: Owned) -> None:
        """Registers a document, if it is no near copy."""
        if self.refuses(one):
            return
        for position, found in enumerate(shingle(one.text).all):
            self._places.setdefault(found, Place(one.key, one.owner, position))


def register(documents: Iterable[Owned]) -> tuple[list[Owned], list[Owned]]:
    """Parts documents, in the order given, into those that registration accepts and refuses."""
    registry = Registry()
    accepted: list[Owned] = []
    refused: list[Owned] = []
    for one in documents:
        (refused if registry.refuses(one) else accepted).append(one)
        registry.add(one)
    return accepted, refused
