from itertools import pairwise

import pytest

from distributary.datanets.copies import MATCHES_MIN, Place, find_copied
from distributary.datanets.lookalikes import fold
from distributary.datanets.shingles import SHINGLES_MIN, content_words, shingle
from tests.honest_texts import honest_text

SHORT = "The last ferry leaves Holm harbour at 23:10."


def places_of(text: str, document: str = "original", owner: str = "author") -> dict[int, Place]:
    found = enumerate(shingle(text).all)
    return {one: Place(document, owner, position) for position, one in found}


def test_fold__look_alikes_invisible_and_wide_characters__plain_latin() -> None:
    assert fold("Тhе hеrоn") == "The heron"  # noqa: RUF001
    assert fold("ＷＩＤＥ 𝐛𝐨𝐥𝐝 ﬁn") == "WIDE bold fin"  # noqa: RUF001
    assert fold("he\u200bron \u2066de\u00adlta\u2069 \u3164x") == "heron delta x"
    assert fold("Ηеrоn Νеѕt") == "Heron Nest"  # noqa: RUF001
    assert fold("e\u0332d\u0332d\u0332y Łódź") == "eddy Lodz"


def test_content_words__short_words_numbers_and_unspaced_scripts__as_stated() -> None:
    assert content_words(["the", "heron", "of", "1999", "b2"]) == ["heron", "1999", "b2"]
    assert content_words([*list("東京都知事"), "x"]) == ["東京都知", "京都知事"]


def test_shingle__words_swapped__same_pair() -> None:
    assert shingle("grey heron").pairs == shingle("heron, the GREY").pairs


@pytest.mark.parametrize(("words", "has_whole"), [(SHINGLES_MIN, True), (SHINGLES_MIN + 1, False)])
def test_shingle__few_words__compared_as_a_whole_too(words: int, has_whole: bool) -> None:
    text = " ".join(f"word{number}" for number in range(words))
    assert (shingle(text).whole is not None) is has_whole


@pytest.mark.parametrize("text", [SHORT, SHORT.upper(), "last ferry leaves HOLM harbour"])
def test_find_copied__short_text_within_another__copy(text: str) -> None:
    copied = find_copied(shingle(text), places_of(SHORT), "thief")
    assert copied is not None
    assert (copied.originals, copied.percent) == ((("original", "author"),), 100)


def test_find_copied__short_text_that_shares_a_phrase__passes() -> None:
    other = shingle("The last ferry leaves Falsterbo canal at 22:40.")
    assert find_copied(other, places_of(SHORT), "other") is None


def test_find_copied__only_punctuation__copy_of_the_same_alone() -> None:
    assert find_copied(shingle("!!!"), places_of("! !!"), "thief") is not None
    assert find_copied(shingle("???"), places_of("!!!"), "thief") is None


def test_find_copied__copy__names_originals_by_how_much_was_taken() -> None:
    first, second = honest_text(1), honest_text(2)
    places = places_of(first, "first", "a") | places_of(second, "second", "b")
    half = second.split()[: len(second.split()) // 2]
    copied = find_copied(shingle(f"{first} {' '.join(half)}"), places, "thief")
    assert copied is not None
    assert copied.originals == (("first", "a"), ("second", "b"))
    assert copied.percent > 90


@pytest.mark.parametrize(("share", "copy"), [(0.15, False), (0.45, True)])
def test_find_copied__one_quotation__a_copy_only_when_it_is_a_third(
    share: float, copy: bool
) -> None:
    original, own = honest_text(1).split(), honest_text(2).split()
    quoted = original[: round(share * len(own) / (1 - share))]
    text = " ".join([*own[:40], *quoted, *own[40:]])
    assert (find_copied(shingle(text), places_of(" ".join(original)), "critic") is not None) is copy


def test_find_copied__matches_of_many_originals__pass_as_common_phrases() -> None:
    text = shingle(honest_text(1))
    places = {
        one: Place(f"document {position // (MATCHES_MIN - 1)}", "author", position)
        for position, one in enumerate(text.pairs)
    }
    assert find_copied(text, places, "other") is None


def test_find_copied__matches_far_apart_in_a_long_original__pass_as_common_phrases() -> None:
    text = shingle(honest_text(1))
    places = {
        one: Place("original", "author", 60 * position) for position, one in enumerate(text.pairs)
    }
    assert find_copied(text, places, "other") is None


def test_find_copied__matches_in_another_order__are_no_edited_copy() -> None:
    text = shingle(honest_text(1))
    every_ninth = list(enumerate(text.pairs))[::9]
    assert len(every_ninth) >= MATCHES_MIN

    def judged(positions: list[int]) -> bool:
        places = {
            one: Place("original", "author", position)
            for (_, one), position in zip(every_ninth, positions, strict=True)
        }
        return find_copied(text, places, "other") is not None

    there = [position for position, _ in every_ninth]
    assert judged(there)
    assert not judged(there[::-1])
    assert not judged([position * 3 // 2 + 40 * (position % 2) for position in there])


def test_find_copied__long_copy__found_in_each_of_its_pieces() -> None:
    text = " ".join(honest_text(number) for number in range(12))
    places = places_of(text)
    assert find_copied(shingle(text), places, "thief") is not None
    assert find_copied(shingle(text), places, "author") is None
    own = " ".join(honest_text(number) for number in range(20, 50))
    assert find_copied(shingle(f"{own} {honest_text(3)}"), places, "critic") is None


def test_honest_texts__any_two__share_little() -> None:
    texts = [honest_text(number) for number in range(30)]
    for one, other in pairwise(texts):
        assert find_copied(shingle(other), places_of(one), "other") is None
