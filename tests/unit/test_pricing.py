"""What a quote refuses."""

import pytest

from distributary.bodies import read_body
from distributary.errors import InputError
from distributary.pricing import quote_body
from distributary.rules import Catalogue, load_catalogue
from distributary.tokens import ByteCounter

COUNTERS = {"smollm2": ByteCounter(), "bytes": ByteCounter()}
PRICES = load_catalogue("prices")


def test_quote_body__a_prompt__counts_prompt_and_longest_answer() -> None:
    body = read_body({"model": "simulated", "prompt": "Why?", "settings": {"max_tokens": 10}})

    quote = quote_body(body, PRICES, 1, COUNTERS)

    # 10^12 units a prompt token, 3 * 10^12 an answer token.
    assert quote.answer_tokens_max == 10
    assert quote.charge_units_max == quote.prompt_tokens_max * 10**12 + 10 * 3 * 10**12


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "gpt", "prompt": "Why?"}, "unknown_model"),
        ({"model": "simulated", "prompt": "x" * 20_000}, "prompt_too_long"),
    ],
)
def test_quote_body__what_would_be_refused__is_refused(body: dict[str, str], code: str) -> None:
    with pytest.raises(InputError) as caught:
        quote_body(read_body(body), PRICES, 1, COUNTERS)

    assert caught.value.code == code


def test_quote_body__no_price_in_force__is_refused() -> None:
    with pytest.raises(InputError) as caught:
        quote_body(read_body({"model": "simulated", "prompt": "a"}), Catalogue([]), 1, COUNTERS)

    assert caught.value.code == "not_priced"
