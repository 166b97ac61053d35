from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributary.bodies import Message
from distributary.models import MODELS, model_file
from distributary.prompts import SPECIAL_TOKENS, Passage, assemble, escape
from distributary.tokens import TokenCounter, load_counter

SPEC = MODELS["smollm2-135m"]
SPECIAL_IDS = range(len(SPECIAL_TOKENS))
TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from([*SPECIAL_TOKENS, "<", "|", " ", "river", "1999", "é", "水"])).map(
        "".join
    ),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def counter(cache: Path) -> TokenCounter:
    return load_counter(model_file(), cache)


def test_load_counter__second_time__comes_from_the_cache(
    counter: TokenCounter, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distributary.tokens._read_gguf", None)
    assert load_counter(model_file(), cache).ids("A river") == counter.ids("A river")


# Ids as llama.cpp gives them; tests/integration holds a few hundred texts against it.
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("What is the capital of France?", [1780, 314, 260, 3575, 282, 4649, 47]),
        ("<|im_start|>user\n", [1, 4093, 198]),
        ("<|im_end|>", [2]),
    ],
)
def test_ids__text__are_llama_cpps(counter: TokenCounter, text: str, ids: list[int]) -> None:
    assert counter.ids(text) == ids
    assert counter.count(text) == len(ids)


def test_special_tokens__list_in_prompts__is_the_models(counter: TokenCounter) -> None:
    assert [counter.ids(token) for token in SPECIAL_TOKENS] == [[i] for i in SPECIAL_IDS]
    assert counter.ids("<|endofprompt|>") != [len(SPECIAL_TOKENS)]


@given(text=TEXTS)
def test_escape__any_text__leaves_no_special_token(counter: TokenCounter, text: str) -> None:
    assert not set(counter.ids(escape(text))) & set(SPECIAL_IDS)


@given(text=TEXTS, tokens_max=st.integers(0, 40))
def test_cut__any_text__is_a_prefix_of_at_most_so_many_tokens(
    counter: TokenCounter, text: str, tokens_max: int
) -> None:
    prefix = counter.cut(text, tokens_max)
    assert text.startswith(prefix)
    assert counter.count(prefix) <= tokens_max
    assert prefix == text or counter.count(text) > tokens_max


@given(question=TEXTS, text=TEXTS, room=st.integers(0, 200))
def test_assemble__any_text__fits_the_context_with_its_answer(
    counter: TokenCounter, question: str, text: str, room: int
) -> None:
    messages = (Message("user", question),)
    bare = assemble(SPEC, messages, (), counter, 64).prompt_tokens
    answer_tokens = SPEC.context_tokens - bare - room
    made = assemble(SPEC, messages, [Passage("a" * 64, text * 5)], counter, answer_tokens)
    assert made.prompt_tokens == counter.count(made.prompt)
    assert made.prompt_tokens + answer_tokens <= SPEC.context_tokens
    assert sum(i in SPECIAL_IDS for i in counter.ids(made.prompt)) == 5
