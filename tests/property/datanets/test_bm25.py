import math
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from distributary.datanets.bm25 import K1, B, Bm25, build_bm25, topic_words

WORDS = st.sampled_from(["heron", "river", "delta", "sea", "fish", "bread", "yeast", "the", "海"])
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=12)


def scores(texts: list[str], question: str) -> list[float]:
    """Lucene's BM25, as in its documentation, over the different words of the question."""
    counted = [Counter(topic_words(text)) for text in texts]
    # A text without words is indexed as one nameless word.
    lengths = [max(1, count.total()) for count in counted]
    mean = sum(lengths) / len(lengths)
    totals = [0.0] * len(texts)
    for word in sorted(set(topic_words(question))):
        holders = sum(word in count for count in counted)
        idf = math.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
        for number, count in enumerate(counted):
            frequency = count[word]
            norm = K1 * (1 - B + B * lengths[number] / mean)
            totals[number] += idf * frequency / (frequency + norm)
    return totals


@given(TEXTS, st.lists(WORDS, max_size=6).map(" ".join), st.integers(0, 13))
def test_search__any_texts__best_by_the_formula(
    texts: list[str], question: str, count: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build_bm25(texts, Path(folder))
        found = Bm25(Path(folder)).search(question, count)
    expected = scores(texts, question)
    assert len(found) == min(count, sum(score > 0 for score in expected))
    assert len(set(found)) == len(found)
    ranked = sorted(expected, reverse=True)
    for place, number in enumerate(found):
        assert math.isclose(expected[number], ranked[place], rel_tol=1e-5)


@given(TEXTS, st.lists(WORDS, max_size=6).map(" ".join))
def test_search__fewer_asked_for__the_first_of_more(texts: list[str], question: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build_bm25(texts, Path(folder))
        index = Bm25(Path(folder))
        ranked = list(index.search(question, 99))
        for count in range(len(ranked)):
            assert list(index.search(question, count)) == ranked[:count]
