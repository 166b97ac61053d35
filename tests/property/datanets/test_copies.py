import random
import re

from hypothesis import given
from hypothesis import strategies as st

from distributary.datanets.copies import Copied, Place, find_copied
from distributary.datanets.lookalikes import fold
from distributary.datanets.shingles import shingle
from tests.honest_texts import honest_text, shared_words

NUMBERS = st.integers(0, 500)
SEEDS = st.integers(0, 2**32)
LOOK_ALIKES = str.maketrans("aceopxyABEHKMOPTX", "асеорхуАВЕНКМОРТХ")  # noqa: RUF001
INVISIBLE = "\u200b\u00ad\u2060\ufeff\u0332"
OWNER = "author"


def registered(*texts: str) -> dict[int, Place]:
    places: dict[int, Place] = {}
    for number, text in enumerate(texts):
        for position, one in enumerate(shingle(text).all):
            places.setdefault(one, Place(str(number), OWNER, position))
    return places


def judge(text: str, *originals: str, owner: str = "thief") -> Copied | None:
    return find_copied(shingle(text), registered(*originals), owner)


def replaced(text: str, percent: int, seed: int) -> str:
    rng = random.Random(seed)
    words = text.split()
    for place in rng.sample(range(len(words)), len(words) * percent // 100):
        words[place] = rng.choice(shared_words())
    return " ".join(words)


@given(NUMBERS, SEEDS, st.sampled_from([" ", "\n", "\t \n", "\u3000", " -- "]), st.booleans())
def test_find_copied__other_white_space_and_case__copy(
    number: int, seed: int, blank: str, upper: bool
) -> None:
    rng = random.Random(seed)
    words = [
        word.upper() if upper else rng.choice((word, word.title()))
        for word in honest_text(number).split()
    ]
    copied = judge(blank.join(words), honest_text(number))
    assert copied is not None
    assert copied.percent == 100


@given(NUMBERS, SEEDS)
def test_find_copied__look_alikes_and_invisible_characters__copy(number: int, seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(
        letter.translate(LOOK_ALIKES) + (rng.choice(INVISIBLE) if rng.random() < 0.1 else "")
        for letter in honest_text(number)
    )
    assert judge(text, honest_text(number)) is not None


@given(NUMBERS, st.integers(0, 30), SEEDS)
def test_find_copied__up_to_30_percent_of_the_words_replaced__copy(
    number: int, percent: int, seed: int
) -> None:
    text = honest_text(number, sentences=14)  # one in 6,000 of nine sentences is missed
    assert judge(replaced(text, percent, seed), text) is not None


@given(st.lists(NUMBERS, min_size=2, max_size=6, unique=True), st.integers(0, 10), SEEDS)
def test_find_copied__concatenation_of_others__copy(
    numbers: list[int], percent: int, seed: int
) -> None:
    texts = [honest_text(number) for number in numbers]
    copied = judge(replaced(" ".join(texts), percent, seed), *texts)
    assert copied is not None
    assert {document for document, _ in copied.originals} == set(map(str, range(len(texts))))


@given(NUMBERS, st.integers(1, 5))
def test_find_copied__parts_of_another_text__each_a_copy(number: int, sentences: int) -> None:
    said = re.findall(r"[^.]+\.", honest_text(number))
    for start in range(0, len(said), sentences):
        assert judge("".join(said[start : start + sentences]), honest_text(number)) is not None


@given(st.lists(NUMBERS, min_size=3, max_size=8, unique=True), SEEDS)
def test_find_copied__sentences_of_many_shuffled__copy(numbers: list[int], seed: int) -> None:
    texts = [honest_text(number) for number in numbers]
    said = [sentence for text in texts for sentence in re.findall(r"[^.]+\.", text)[:3]]
    random.Random(seed).shuffle(said)
    assert judge("".join(said), *texts) is not None


@given(NUMBERS, st.integers(0, 100), SEEDS)
def test_find_copied__own_earlier_text__passes(number: int, percent: int, seed: int) -> None:
    text = replaced(honest_text(number), percent, seed)
    assert judge(text, honest_text(number), owner=OWNER) is None


@given(st.lists(NUMBERS, min_size=2, max_size=40, unique=True))
def test_find_copied__honest_texts__pass(numbers: list[int]) -> None:
    *earlier, text = map(honest_text, numbers)
    assert judge(text, *earlier) is None


@given(st.text(max_size=300), st.text(max_size=300))
def test_find_copied__any_text__a_copy_of_itself(text: str, other: str) -> None:
    copied = judge(text, other, text) if shingle(text).all else None
    assert copied is not None
    assert 0 <= copied.percent <= 100


@given(st.text(max_size=200))
def test_fold__any_text__folded_once_is_folded(text: str) -> None:
    assert shingle(fold(text)) == shingle(text)
