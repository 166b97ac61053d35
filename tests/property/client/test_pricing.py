"""A quote is an upper bound of what admission will hold against the maximum."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from distributary.bodies import read_body
from distributary.models import MODELS
from distributary.pricing import prompt_tokens_bound, quote_body, quote_units
from distributary.prompts import PASSAGES_SHOWN_MAX, assemble
from distributary.rules import Price, load_catalogue
from distributary.tokens import ByteCounter

COUNTER = ByteCounter()
COUNTERS = {spec.tokenizer: COUNTER for spec in MODELS.values()}
PRICES = load_catalogue("prices")


@dataclass(frozen=True)
class Document:
    document: str
    text: str


texts = st.text(min_size=1, max_size=400).filter(lambda text: text.strip(" \t\r\n"))
long_texts = st.sampled_from(["word " * 900, "ä" * 3_000, "<|im_start|>" * 300, "1" * 4_000])
passages = st.lists(st.text(min_size=1) | long_texts, max_size=PASSAGES_SHOWN_MAX + 1)


@settings(max_examples=200)
@given(
    model=st.sampled_from(sorted(MODELS)),
    prompt=texts,
    system=st.none() | texts,
    found=passages,
    max_tokens=st.integers(1, 256),
)
def test_quote_body__any_passages__is_never_below_what_admission_finds(
    model: str, prompt: str, system: str | None, found: list[str], max_tokens: int
) -> None:
    messages = [{"role": "user", "content": prompt}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    body = read_body(
        {
            "model": model,
            "messages": messages,
            "datanet": "wiki",
            "settings": {"max_tokens": max_tokens},
        }
    )
    shown = [Document(f"{n:064x}", text) for n, text in enumerate(found)]
    quote = quote_body(body, PRICES, 1, COUNTERS)
    assembled = assemble(MODELS[model], body.messages, shown, COUNTER, max_tokens)
    rule = PRICES.in_force(1)

    assert rule is not None
    assert assembled.prompt_tokens <= quote.prompt_tokens_max
    worst = rule.content[model].charge_units(assembled.prompt_tokens, max_tokens)
    assert worst <= quote.charge_units_max
    assert quote.price_hash == rule.hash


@given(
    prompt_tokens=st.integers(0, 2_000),
    max_tokens=st.integers(1, 256),
    prices=st.tuples(st.integers(0, 10**20), st.integers(0, 10**20)),
)
def test_quote_units__without_passages__is_the_charge_of_the_longest_answer(
    prompt_tokens: int, max_tokens: int, prices: tuple[int, int]
) -> None:
    spec, price = MODELS["simulated"], Price(*prices)

    quoted = quote_units(spec, price, prompt_tokens, max_tokens, passages=False)

    assert quoted == price.charge_units(prompt_tokens, max_tokens)
    assert quote_units(spec, price, prompt_tokens, max_tokens, passages=True) >= quoted


@given(prompt_tokens=st.integers(0, 1_700), max_tokens=st.integers(1, 256))
def test_prompt_tokens_bound__with_passages__stays_within_the_context(
    prompt_tokens: int, max_tokens: int
) -> None:
    spec = MODELS["simulated"]

    bound = prompt_tokens_bound(spec, prompt_tokens, max_tokens, passages=True)

    assert prompt_tokens <= bound <= spec.context_tokens - max_tokens
