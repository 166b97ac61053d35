import re
from pathlib import Path

import pytest

from distributary.bodies import MAX_TOKENS_DEFAULT, MAX_TOKENS_MAX
from distributary.errors import InputError
from distributary.models import MODELS, model, simulated_service_ms, simulated_text
from distributary.prompts import PASSAGES_TOKENS_MAX
from distributary.rules import load_catalogue

REPOSITORY = Path(__file__).parents[2] / "triton_models"


def parameter(config: str, name: str) -> int:
    found = re.search(rf'key: "{name}" value: {{ string_value: "(\d+)" }}', config)
    assert found
    return int(found.group(1))


@pytest.mark.parametrize("name", MODELS)
def test_models__each__agrees_with_bodies_prices_and_the_model_repository(name: str) -> None:
    spec = model(name)
    config = (REPOSITORY / spec.triton_model / "config.pbtxt").read_text()
    served_max = re.search(r"max_batch_size: (\d+)", config)
    assert served_max
    assert spec.batch_max <= int(served_max.group(1))
    assert spec.answer_tokens_max == MAX_TOKENS_MAX
    assert spec.answer_tokens_default == MAX_TOKENS_DEFAULT
    assert spec.context_tokens > spec.answer_tokens_max + PASSAGES_TOKENS_MAX
    for rule in load_catalogue("prices")._rules:
        assert name in rule.content


def test_models__generate__slots_hold_the_context_of_the_catalogue() -> None:
    config = (REPOSITORY / "generate" / "config.pbtxt").read_text()
    assert parameter(config, "context_tokens") == MODELS["smollm2-135m"].context_tokens
    assert parameter(config, "in_flight_max") >= parameter(config, "slots")


def test_model__unknown_name__is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError, match="smollm2-135m") as refusal:
        model("gpt-5")
    assert refusal.value.code == "unknown_model"


def test_simulated_service_ms__full_batch__is_what_capacity_says() -> None:
    service_ms = simulated_service_ms(90, 89, 64)
    assert service_ms == pytest.approx(95.7, abs=0.01)
    assert 8 * 64 / service_ms * 1_000 == pytest.approx(5_350, abs=5)


def test_simulated_text__prompt__is_its_digest_and_the_users_first_words() -> None:
    prompt = "<|im_start|>system\nBe kind<|im_end|>\n<|im_start|>user\nWhat is it?<|im_end|>\n"
    text = simulated_text(prompt, 64)
    assert re.fullmatch(r"[0-9a-f]{12} What is it\?", text)
    assert simulated_text(prompt + " ", 64) != text


@pytest.mark.parametrize("tokens_max", [1, 13, 14, 15, 256])
def test_simulated_text__few_tokens__has_no_more_bytes(tokens_max: int) -> None:
    text = simulated_text("é" * 400, tokens_max)
    assert len(text.encode()) <= tokens_max


@pytest.mark.parametrize(("prompt", "tokens_max"), [("", 5), ("hello", 0), ("hello", -1)])
def test_simulated_text__nothing_to_do__is_refused(prompt: str, tokens_max: int) -> None:
    with pytest.raises(InputError):
        simulated_text(prompt, tokens_max)
