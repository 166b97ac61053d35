"""What a request may cost at most, told before it is sent and held to at admission."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from distributary.bodies import Body
from distributary.errors import InputError
from distributary.models import ModelSpec, model
from distributary.prompts import PASSAGES_TOKENS_MAX, Counter, assemble
from distributary.rules import Catalogue, Price

# With passages the prompt has another introduction, and tokens may fall differently at the seams.
INTRODUCTION_TOKENS_MAX: Final = 64


@dataclass(frozen=True)
class Quote:
    """The bound on a charge.

    Attributes:
        model: public name of the model.
        prompt_tokens_max: of the assembled prompt, passages included.
        answer_tokens_max: as asked for.
        charge_units_max: base units; what it will cost is at most this.
        price_hash: the price file that it was made with; one in force later may differ.
    """

    model: str
    prompt_tokens_max: int
    answer_tokens_max: int
    charge_units_max: int
    price_hash: str


def prompt_tokens_bound(
    spec: ModelSpec, prompt_tokens: int, max_tokens: int, *, passages: bool
) -> int:
    """The most tokens that a prompt can have once passages are shown with it.

    Args:
        spec: the model; prompt and answer share its context.
        prompt_tokens: of the prompt without passages.
        max_tokens: room left for the answer.
        passages: whether a datanet is named.
    """
    if not passages:
        return prompt_tokens
    shown = prompt_tokens + PASSAGES_TOKENS_MAX + INTRODUCTION_TOKENS_MAX
    return max(prompt_tokens, min(spec.context_tokens - max_tokens, shown))


def quote_units(
    spec: ModelSpec, price: Price, prompt_tokens: int, max_tokens: int, *, passages: bool
) -> int:
    """The most that an answer can cost, base units.

    Args:
        spec: the model.
        price: in force at admission.
        prompt_tokens: of the prompt without passages.
        max_tokens: the longest answer asked for.
        passages: whether a datanet is named.
    """
    bound = prompt_tokens_bound(spec, prompt_tokens, max_tokens, passages=passages)
    return price.charge_units(bound, max_tokens)


def quote_body(body: Body, prices: Catalogue, at_ms: int, counters: Mapping[str, Counter]) -> Quote:
    """Quotes a request as it would be admitted at `at_ms`.

    Args:
        body: what is asked for.
        prices: the catalogue.
        at_ms: Unix milliseconds.
        counters: tokenizers by the name that the model gives.

    Raises:
        InputError: `unknown_model`, `not_priced`, `prompt_too_long`, or the answer asked for is
            longer than the model gives.
    """
    spec = model(body.model)
    if body.max_tokens > spec.answer_tokens_max:
        raise InputError(
            f"{spec.name} answers {spec.answer_tokens_max} tokens at most.", value=body.max_tokens
        )
    rule = prices.in_force(at_ms)
    if rule is None or spec.name not in rule.content:
        raise InputError("The model has no price now.", value=spec.name, code="not_priced")
    bare = assemble(spec, body.messages, (), counters[spec.tokenizer], body.max_tokens)
    passages = body.datanet is not None
    bound = prompt_tokens_bound(spec, bare.prompt_tokens, body.max_tokens, passages=passages)
    units = rule.content[spec.name].charge_units(bound, body.max_tokens)
    return Quote(spec.name, bound, body.max_tokens, units, rule.hash)
