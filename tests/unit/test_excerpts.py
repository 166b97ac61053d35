import pytest

from distributary.excerpts import TEXT_CHARACTERS_MAX, excerpt

FILLER = [f"Paragraph {number} speaks of nothing in particular." for number in range(40)]


def test_excerpt__short_text__is_the_text() -> None:
    assert excerpt("anything", " A short text. ", 100) == "A short text."


@pytest.mark.parametrize("at", [0, 1, 20, 40])
def test_excerpt__one_paragraph_has_the_questions_words__it_is_in(at: int) -> None:
    wanted = "The Zambezi ends in a broad delta."
    text = "\n\n".join([*FILLER[:at], wanted, *FILLER[at:]])
    found = excerpt("Where does the Zambezi end?", text, 200)
    assert wanted in found
    assert len(found) <= 200


def test_excerpt__long_paragraph__is_cut_at_sentences() -> None:
    text = " ".join([*FILLER, "The Zambezi ends in a broad delta.", *FILLER])
    found = excerpt("Zambezi", text, 600)
    assert "The Zambezi ends in a broad delta." in found
    assert len(found) <= 600


def test_excerpt__no_word_in_common__is_the_beginning() -> None:
    text = "\n\n".join(FILLER)
    assert text.startswith(excerpt("zebra", text, 100))


def test_excerpt__rare_word_against_common_ones__the_rare_one_wins() -> None:
    text = "\n\n".join([*FILLER, "Zambezi."])
    assert "Zambezi." in excerpt("paragraph speaks of Zambezi", text, 120)


def test_excerpt__words_far_apart__the_place_that_has_them_together_wins() -> None:
    apart = ["Zambezi.", *FILLER[:20], "Delta.", *FILLER[20:]]
    text = "\n\n".join([*apart, "The Zambezi has a delta."])
    assert "The Zambezi has a delta." in excerpt("Zambezi delta", text, 150)


@pytest.mark.parametrize(
    "text",
    ["x" * 100_000, "a " * 50_000, "\n" * 70_000, "\n\na" * 30_000, "水。" * 50_000, "." * 90_000],
)
def test_excerpt__strange_long_text__gives_at_most_what_was_asked(text: str) -> None:
    assert len(excerpt("a 水", text, 300)) <= 300


def test_excerpt__words_after_the_limit__are_not_looked_at() -> None:
    text = "filler. " * (TEXT_CHARACTERS_MAX // 8) + "Zambezi."
    assert "Zambezi" not in excerpt("Zambezi", text, 100)
