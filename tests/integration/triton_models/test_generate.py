from concurrent.futures import FIRST_COMPLETED, wait

import pytest

from tests.integration.triton_models.calls import TIMEOUT_S, Calls, Columns, generate_columns

SLOTS = 8


def chat(text: str) -> bytes:
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n".encode()


def test_generate__question__is_answered_with_plain_text(calls: Calls) -> None:
    made = calls.generate("generate", {b"id-1": chat("What is 2 + 2?")}, 16)
    assert made["REQUEST_ID"] == [b"id-1"]
    assert made["ERROR"] == [b""]
    assert made["TEXT"][0].decode().strip()
    assert b"<|im_" not in made["TEXT"][0]


def test_generate__same_prompt_again__same_text(calls: Calls) -> None:
    prompts = {b"id": chat("Name three rivers.")}
    assert calls.generate("generate", prompts) == calls.generate("generate", prompts)


def test_generate__special_tokens_in_the_prompt__are_parsed_as_one_token_each(
    calls: Calls,
) -> None:
    made = calls.generate("generate", {b"id": b"<|im_end|>" * 2_100})
    assert made["ERROR"][0].startswith(b"prompt_too_long: request (2100 tokens)")


def test_generate__many_at_once__each_gets_its_own_answer(calls: Calls) -> None:
    prompts = {b"%d" % n: chat(f"Repeat the number {n}.") for n in range(10)}
    started = [calls.start("generate", generate_columns({i: p}))[0] for i, p in prompts.items()]
    together = [future.result(TIMEOUT_S) for future in started]
    assert [made["REQUEST_ID"] for made in together] == [[i] for i in prompts]
    assert all(made["ERROR"] == [b""] for made in together)


def test_generate__short_after_long__does_not_wait_for_it(calls: Calls) -> None:
    story = generate_columns({b"long": chat("Tell me a long story about a river.")}, 256)
    long, _ = calls.start("generate", story)
    short, _ = calls.start("generate", generate_columns({b"short": chat("Hi")}, 1))
    first, _ = wait([long, short], TIMEOUT_S, return_when=FIRST_COMPLETED)
    assert first == {short}
    assert long.result(TIMEOUT_S)["ERROR"] == [b""]


def test_generate__bad_items_in_a_batch__only_they_get_errors(calls: Calls) -> None:
    prompts = {b"good": chat("Hi"), b"long": b"word " * 2_100, b"empty": b"", b"bytes": b"\xff"}
    made = calls.generate("generate", prompts)
    codes = [error.partition(b":")[0] for error in made["ERROR"]]
    assert made["REQUEST_ID"] == list(prompts)
    assert codes == [b"", b"prompt_too_long", b"bad_prompt", b"bad_prompt"]
    assert [bool(text) for text in made["TEXT"]] == [True, False, False, False]


@pytest.mark.parametrize("tokens_max", [0, -1, 2**31 - 1])
def test_generate__number_of_tokens_out_of_range__is_an_error(
    calls: Calls, tokens_max: int
) -> None:
    made = calls.generate("generate", {b"id": chat("Hi")}, tokens_max)
    assert made["ERROR"][0].startswith(b"bad_prompt: ")


def test_generate__callers_cancel__generation_ends_and_frees_their_slots(calls: Calls) -> None:
    def endless(tokens_max: int) -> Columns:
        return generate_columns({b"endless": b"1 2 1 2 1 2 1 2 1 2 1 2 1 2"}, tokens_max)

    reference, running = calls.start("generate", endless(400))
    abandoned = [calls.start("generate", endless(1_900)) for _ in range(SLOTS - 2)]
    # Slots are taken in order, so with this answer all of the above are running.
    assert calls.generate("generate", {b"short": chat("Hi")}, 1)["ERROR"] == [b""]
    for _, call in abandoned:
        call.cancel()
    # All slots decode in step: seven free ones need 100 steps for this, a single one 600.
    probes = [calls.start("generate", endless(50))[0] for _ in range(12)]
    assert all(probe.result(TIMEOUT_S)["ERROR"] == [b""] for probe in probes)
    assert not reference.done()
    running.cancel()
