"""The attacks on a small fixed datanet, with texts and a model made by the test: what must hold.

The model answers with the sentence of the passage that has most words of the question, which is
what a good one would be paid for. Thresholds are those that the product promises; the full figures
are in docs/benchmarks.md.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from benchmarks.attack_documents import ATTACKS, replaced, sentences
from benchmarks.attack_market import Market, Owned, register
from benchmarks.attack_report import report
from distributary.attribution.spans import line, words
from distributary.attribution.weights import SHARERS_MAX
from tests.honest_texts import honest_text

HONEST = 40
ASKED = 24
WORDS_MAX = 100_000


@dataclass
class Corpus:
    """A corpus in memory, quick enough for some hundred documents."""

    documents: list[tuple[str, str]]
    documents_count: int = field(init=False)

    def __post_init__(self) -> None:
        self.documents_count = len(self.documents)
        self._lines = {document: line(words(t, WORDS_MAX)) for document, t in self.documents}

    def occurrences(self, span: str) -> int:
        return sum(text.count(span) for text in self._lines.values())

    def holders(self, span: str) -> list[str] | None:
        held = sorted(document for document, text in self._lines.items() if span in text)
        return held if len(held) <= SHARERS_MAX else None


class CharacterCounter:
    """Four characters are a token."""

    def count(self, text: str) -> int:
        return len(text) // 4

    def cut(self, text: str, tokens_max: int) -> str:
        return text[: 4 * tokens_max]


def answer(prompt: str) -> str:
    turn = prompt.rpartition("<|im_start|>user\n")[2].partition("<|im_end|>")[0]
    passage, _, question = turn.rpartition("\n\n")
    asked = set(words(question, 100))
    return max(sentences(passage), key=lambda said: len(asked & set(words(said, 100))))


def answers(prompts: Sequence[str]) -> list[str]:
    return [answer(prompt) for prompt in prompts]


@cache
def figures() -> dict[str, Any]:
    documents = [Owned(f"author {number}", honest_text(number)) for number in range(HONEST)]
    said = {one.owner: sentences(one.text) for one in documents}
    past = {owner: [" ".join(one.split()[:7]) for one in each[3:5]] for owner, each in said.items()}
    asked = [" ".join(said[one.owner][1].split()[:7]) for one in documents[:ASKED]]
    market = Market(asked, answers, Corpus, CharacterCounter())
    return report(market, documents, past)


def attack(name: str) -> dict[str, Any]:
    return dict(figures()["attacks"][name])


def test_honest_documents__registered__none_is_refused_and_they_earn() -> None:
    honest = figures()["honest"]
    assert honest["refused"] == 0
    assert honest["victims_percent"] > 50


@pytest.mark.parametrize(
    "name",
    [
        "exact copies",
        "copies, 10 % replaced",
        "copies, 30 % replaced",
        "Unicode look-alikes",
        "other white space and case",
        "several victims joined",
        "others' sentences",
        "suppression, eleven near copies",
    ],
)
def test_copies__with_controls__earn_nothing_and_their_victims_lose_nothing(name: str) -> None:
    found = attack(name)
    assert found["refused"] == found["documents"]
    assert found["with"]["attacker_percent"] == 0
    assert abs(found["with"]["victims_change_percent"]) < 1


@pytest.mark.parametrize("name", ["exact copies", "others' sentences"])
def test_copies__without_controls__would_earn(name: str) -> None:
    assert attack(name)["without"]["attacker_percent"] > 10


@pytest.mark.parametrize("name", ["copies, 50 % replaced", "past questions"])
def test_thin_documents__with_controls__earn_at_most_one_percent(name: str) -> None:
    assert attack(name)["with"]["attacker_percent"] <= 1


def test_every_attack__with_controls__earns_no_more_than_without() -> None:
    for name in ATTACKS:
        found = attack(name)
        assert found["with"]["attacker_percent"] <= found["without"]["attacker_percent"], name


def test_self_dealing__only_questions_that_pay_best__loses() -> None:
    found = figures()["self_dealing"]
    assert found["questions"] > 0
    assert found["net_gain_percent_of_charges"] <= -50


def test_register__attack_repeated_with_other_words__refused_each_time() -> None:
    victim = Owned("author", honest_text(1))
    others = honest_text(99).split()
    copies = [
        Owned(f"attacker {n}", replaced(victim.text, 0.3, random.Random(n), others))
        for n in range(20)
    ]
    assert register([victim, *copies]) == ([victim], copies)
