from hypothesis import given
from hypothesis import strategies as st

from distributary.attribution.method import Attribution, attribute
from distributary.attribution.spans import longest_cover, maximal_spans
from distributary.attribution.weights import WHOLE
from tests.unit.attribution.plain_corpus import PlainCorpus

WORDS = st.sampled_from(["river", "delta", "mill", "pond", "the", "a", "水", "zebra"])
TEXTS = st.lists(WORDS, max_size=14).map(" ".join)
DOCUMENTS = st.dictionaries(
    st.integers(0, 50).map(lambda number: f"{number:064x}"), TEXTS, max_size=6
).map(lambda texts: list(texts.items()))
ANY_TEXT = st.text(max_size=200)


def total(made: Attribution) -> int:
    return made.commons + sum(weight for _, weight in made.weights)


@given(answer=TEXTS, question=TEXTS, corpus=DOCUMENTS, data=st.data())
def test_attribute__any_words__weights_sum_to_the_whole_over_known_documents(
    answer: str, question: str, corpus: list[tuple[str, str]], data: st.DataObject
) -> None:
    shown = data.draw(st.lists(st.sampled_from(corpus), max_size=4)) if corpus else []
    made = attribute(answer, question, shown, PlainCorpus(corpus))
    assert total(made) == WHOLE
    assert made.commons >= 0
    assert all(weight > 0 for _, weight in made.weights)
    assert list(made.weights) == sorted(made.weights)
    assert {document for document, _ in made.weights} <= {document for document, _ in corpus}


@given(answer=ANY_TEXT, question=ANY_TEXT, first=ANY_TEXT, second=ANY_TEXT)
def test_attribute__any_unicode__weights_sum_to_the_whole(
    answer: str, question: str, first: str, second: str
) -> None:
    shown = [("a" * 64, first), ("b" * 64, second)]
    assert total(attribute(answer, question, shown, PlainCorpus(shown))) == WHOLE


@given(answer=TEXTS, question=TEXTS, shown=DOCUMENTS, data=st.data())
def test_attribute__passages_permuted__changes_nothing(
    answer: str, question: str, shown: list[tuple[str, str]], data: st.DataObject
) -> None:
    corpus = PlainCorpus(shown)
    permuted = data.draw(st.permutations(shown))
    assert attribute(answer, question, shown, corpus) == attribute(
        answer, question, permuted, corpus
    )


@given(answer=TEXTS, question=TEXTS, corpus=DOCUMENTS, unrelated=st.lists(st.just("unrelated")))
def test_attribute__unrelated_document_shown_too__changes_nothing(
    answer: str, question: str, corpus: list[tuple[str, str]], unrelated: list[str]
) -> None:
    plain = PlainCorpus(corpus)
    more = [*corpus, ("f" * 64, " ".join(unrelated))]
    assert attribute(answer, question, corpus, plain) == attribute(answer, question, more, plain)


@given(answer=TEXTS, shown=DOCUMENTS)
def test_attribute__repeated__gives_the_same(answer: str, shown: list[tuple[str, str]]) -> None:
    corpus = PlainCorpus(shown)
    assert attribute(answer, "", shown, corpus) == attribute(answer, "", shown, corpus)


@given(sequence=st.lists(WORDS, max_size=12), text=st.lists(WORDS, max_size=12))
def test_maximal_spans__any_two_texts__cover_what_a_plain_search_covers(
    sequence: list[str], text: list[str]
) -> None:
    def contains(span: str) -> bool:
        return span in f" {' '.join(text)} "

    plain = [0] * len(sequence)
    for start in range(len(sequence)):
        for end in range(start + 1, len(sequence) + 1):
            if contains(f" {' '.join(sequence[start:end])} "):
                for position in range(start, end):
                    plain[position] = max(plain[position], end - start)
    assert longest_cover(len(sequence), maximal_spans(sequence, contains)) == plain
