import pytest

from distributary.attribution.spans import line, longest_cover, maximal_spans, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n … !", []),
        ("The Cat's mat.", ["the", "cat", "s", "mat"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("\ufb01ne e\u0301t\u00e9", ["fine", "été"]),
        ("日本の3 cats", ["日", "本", "の", "3", "cats"]),
        ("snake_case", ["snake", "case"]),
        ("Привет, мир", ["привет", "мир"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("x" * 100, ["x" * 64]),
    ],
)
def test_words__text_of_any_script__folds_and_separates(text: str, expected: list[str]) -> None:
    assert words(text, 100) == expected


def test_words__more_than_the_maximum__stops_there() -> None:
    assert words("a b c d", 2) == ["a", "b"]


def test_line__span_in_the_middle_of_words__is_not_contained() -> None:
    assert line(["at"]) not in line(["cat", "sat"])
    assert line([]) == ""


@pytest.mark.parametrize(
    ("sequence", "text", "words_min", "expected"),
    [
        ("a b c", "a b c", 1, [(0, 3)]),
        ("a b c d", "a b x c d", 1, [(0, 2), (2, 4)]),
        ("a b c d", "a b c x b c d", 1, [(0, 3), (1, 4)]),
        ("x y z", "a b", 1, []),
        ("x a y b", "a b", 1, [(1, 2), (3, 4)]),
        ("x a b y c d e", "a b c d e", 3, [(4, 7)]),
        ("a b", "a b", 3, []),
        ("", "a", 1, []),
        ("a a a", "a a", 1, [(0, 2), (1, 3)]),
    ],
)
def test_maximal_spans__text__finds_what_no_other_includes(
    sequence: str, text: str, words_min: int, expected: list[tuple[int, int]]
) -> None:
    haystack = line(text.split())
    found = maximal_spans(sequence.split(), lambda span: span in haystack, words_min)
    assert found == expected


def test_maximal_spans__long_text__asks_at_most_twice_a_word() -> None:
    asked: list[str] = []
    sequence = ["a", "b"] * 50

    def contains(span: str) -> bool:
        asked.append(span)
        return len(span.split()) <= 7

    maximal_spans(sequence, contains)
    assert len(asked) <= 2 * len(sequence)


def test_longest_cover__overlapping_spans__takes_the_longest() -> None:
    assert longest_cover(5, [(0, 2), (1, 4)]) == [2, 3, 3, 3, 0]
    assert longest_cover(5, [(0, 3), (2, 4)]) == [3, 3, 3, 2, 0]
