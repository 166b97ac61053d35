import pytest

from distributary.attribution.method import (
    ANSWER_WORDS_MAX,
    DOCUMENTS_MAX,
    SHARERS_MAX,
    UNSEEN_WORDS_MIN,
    Attribution,
    attribute,
)
from distributary.attribution.weights import WHOLE
from distributary.errors import InputError
from tests.unit.attribution.plain_corpus import PlainCorpus

ALL_COMMONS = Attribution((), WHOLE)
RIVER, MILL, LIGHT = "a" * 64, "b" * 64, "c" * 64
TEXTS = {
    RIVER: "A distributary is a stream that branches away from the main river channel.",
    MILL: "The mill pond powers an old grinding wheel beside the village church all year.",
    LIGHT: "Harbour lights guide tired sailors home through winter fog and sudden squalls at sea.",
}
CORPUS = PlainCorpus(list(TEXTS.items()))
SHOWN = [(RIVER, TEXTS[RIVER]), (MILL, TEXTS[MILL])]


def test_attribute__words_of_one_passage__it_earns_all() -> None:
    made = attribute("branches away from the main river", "What is it?", SHOWN, CORPUS)
    assert made == Attribution(((RIVER, WHOLE),), 0)


def test_attribute__words_of_two_passages__each_earns_by_what_its_words_tell() -> None:
    made = attribute("main river channel. Grinding wheel.", "What?", SHOWN, CORPUS)
    assert dict(made.weights) == {RIVER: 600_000_000, MILL: 400_000_000}


def test_attribute__the_same_span_in_two_passages__they_share_equally() -> None:
    twins = [(RIVER, "green valley"), (MILL, "green valley")]
    made = attribute("green valley", "", twins, PlainCorpus(twins))
    assert made == Attribution(((RIVER, WHOLE // 2), (MILL, WHOLE // 2)), 0)


def test_attribute__longer_span_elsewhere__longest_takes_the_word() -> None:
    shown = [(RIVER, "old river"), (MILL, "the old mill river bank")]
    made = attribute("old mill river bank", "", shown, PlainCorpus(shown))
    assert made == Attribution(((MILL, WHOLE),), 0)


def test_attribute__words_that_nothing_has__commons_earns_them() -> None:
    made = attribute("river zebra", "What?", SHOWN, CORPUS)
    assert [document for document, _ in made.weights] == [RIVER]
    assert made.commons == WHOLE - made.weights[0][1] > WHOLE // 2


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("", "What?"),
        ("?!…", "What?"),
        ("zebra", "What?"),
        ("the main river", "Which is the main river?"),
        ("答えは東京です", "What?"),
    ],
    ids=["empty", "no words", "unknown word", "only the question's words", "another script"],
)
def test_attribute__nothing_explains_it__all_commons(answer: str, question: str) -> None:
    assert attribute(answer, question, SHOWN, CORPUS) == ALL_COMMONS


def test_attribute__one_word__its_passage_earns_all() -> None:
    assert attribute("Channel", "", SHOWN, CORPUS) == Attribution(((RIVER, WHOLE),), 0)


def test_attribute__script_without_spaces__spans_are_found() -> None:
    shown = [(RIVER, "東京は日本の首都です。"), (MILL, "大阪は西にあります。")]
    made = attribute("東京です", "首都はどこ", shown, PlainCorpus(shown))
    assert dict(made.weights)[RIVER] > WHOLE // 2


def test_attribute__no_passages_and_empty_datanet__all_commons() -> None:
    assert attribute("anything", "", [], PlainCorpus([])) == ALL_COMMONS


def test_attribute__long_span_of_an_unseen_document__that_document_earns() -> None:
    copied = " ".join(TEXTS[LIGHT].split()[:UNSEEN_WORDS_MIN])
    assert attribute(copied, "", SHOWN, CORPUS) == Attribution(((LIGHT, WHOLE),), 0)


def test_attribute__span_of_an_unseen_document_too_short__commons_earns() -> None:
    copied = " ".join(TEXTS[LIGHT].split()[: UNSEEN_WORDS_MIN - 1])
    assert attribute(copied, "", SHOWN, CORPUS) == ALL_COMMONS


def test_attribute__unseen_document_has_the_same_span_as_a_shown_one__only_the_shown_earns() -> (
    None
):
    corpus = PlainCorpus([*TEXTS.items(), ("d" * 64, TEXTS[RIVER])])
    assert attribute(TEXTS[RIVER], "", SHOWN, corpus) == Attribution(((RIVER, WHOLE),), 0)


def test_attribute__boilerplate_in_too_many_documents__commons_earns() -> None:
    crowd = [(f"{number:064x}", TEXTS[LIGHT]) for number in range(SHARERS_MAX + 1)]
    assert attribute(TEXTS[LIGHT], "", [], PlainCorpus(crowd)) == ALL_COMMONS


def test_attribute__text_stitched_of_many_documents__only_those_with_most_credit_earn() -> None:
    """A node could return such a text to make its record large."""
    lines = [" ".join(f"w{n}x{k}" for k in range(UNSEEN_WORDS_MIN)) for n in range(70)]
    lines[69] += " and one word more"
    corpus = PlainCorpus([(f"{n:064x}", text) for n, text in enumerate(lines)])
    made = attribute(" ".join(lines), "", [], corpus)
    earning = [int(document, 16) for document, _ in made.weights]
    assert earning == [*range(DOCUMENTS_MAX - 1), 69]
    assert made.commons + sum(weight for _, weight in made.weights) == WHOLE
    assert made.commons > WHOLE // 20


def test_attribute__one_document_shown_in_two_pieces__counts_once() -> None:
    split = [(RIVER, "main river"), (RIVER, "channel"), (MILL, TEXTS[MILL])]
    made = attribute("main river channel", "", split, CORPUS)
    assert made == Attribution(((RIVER, WHOLE),), 0)


def test_attribute__too_many_documents_shown__is_refused() -> None:
    crowd = [(f"{number:064x}", "text") for number in range(SHARERS_MAX + 1)]
    with pytest.raises(InputError) as refusal:
        attribute("text", "", crowd, CORPUS)
    assert refusal.value.code == "too_many_passages"


def test_attribute__answer_of_100_000_characters__looks_at_the_first_words_only() -> None:
    beginning = "river " * ANSWER_WORDS_MAX
    long = (beginning + "zebra " * 20_000)[:100_000]
    assert attribute(long, "", SHOWN, CORPUS) == attribute(beginning, "", SHOWN, CORPUS)
