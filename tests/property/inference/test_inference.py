"""Properties of the inference job: no bytes of a producer or a node bring it down."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from distributary.answers import Answer, read_answer
from distributary.canonical import INTEGER_MAX
from distributary.datanets.retrieval import Retriever
from distributary.events import ANSWER_TYPE, DEAD_TYPE
from distributary.inference.admission import Admission
from distributary.inference.decode import dead_letter
from distributary.inference.dispatcher import match
from distributary.inference.leases import Found, lease_value, read_lookup
from distributary.inference.nodes import Completion, Prompt
from distributary.inference.records import Admitted, Dead, Verified
from distributary.rules import load_catalogue
from distributary.schemas import load_schema
from distributary.settings import Settings
from distributary.tokens import ByteCounter
from tests.senders import question
from tests.unit.inference.records_at import ACCOUNTS, DECODER, PAYER, ask, record, verified

EXAMPLES = settings(max_examples=100)
ANSWER = Draft202012Validator(load_schema(ANSWER_TYPE))
DEAD = Draft202012Validator(load_schema(DEAD_TYPE))
COUNTERS: Any = {"bytes": ByteCounter(), "smollm2": ByteCounter()}
ADMISSION = Admission(
    Settings(),
    load_catalogue("prices"),
    load_catalogue("splits"),
    Retriever(Path("no-lake")),
    COUNTERS,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | texts
    | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
bodies = values | st.fixed_dictionaries(
    {"model": st.just("simulated"), "prompt": texts}, optional={"settings": values, "agent": texts}
)
headers = st.none() | st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_source", "ce_type", "ce_specversion", "x"]) | texts,
        st.none() | st.binary(max_size=20),
    ),
    max_size=6,
)


@EXAMPLES
@given(st.binary(max_size=200), headers)
def test_decode__any_bytes_and_headers__are_a_dead_letter_of_the_schema(
    value: bytes, given_headers: Any
) -> None:
    found = DECODER.decode(record(value, given_headers), ACCOUNTS)
    assert isinstance(found, Dead)
    DEAD.validate(json.loads(dead_letter(found, "inference.requests")))


@EXAMPLES
@given(bodies, values | st.just("1" + "0" * 18), values | st.just(1_790_000_100))
def test_admit__anything_signed__is_admitted_or_refused_with_an_answer_of_the_schema(
    body: Any, maximum: Any, expires_at: Any
) -> None:
    request = verified(
        ask("1", {} if body is None else body, max_charge_units=maximum, expires_at=expires_at)
    )
    found = ADMISSION.admit(request, PAYER.state(), 0.0, 0.0)
    if isinstance(found, Admitted):
        assert found.price.charge_units(found.prompt_tokens, found.body.max_tokens) <= int(maximum)
        return
    assert isinstance(found, Answer)
    assert found.code
    assert found.sentence
    ANSWER.validate(json.loads(found.payload()))
    assert read_answer(found.payload()) == found


def requests(count: int) -> list[Admitted]:
    found = [
        ADMISSION.admit(verified(ask(str(offset)), offset), PAYER.state(), 0.0, 0.0)
        for offset in range(count)
    ]
    return [each for each in found if isinstance(each, Admitted)]


BATCH = requests(6)
PROMPTS = [Prompt(f"topic/0/{offset}", "prompt", 1) for offset in range(6)]
ids = st.sampled_from([prompt.id for prompt in PROMPTS]) | texts


@EXAMPLES
@given(st.lists(st.builds(Completion, ids, texts, texts), max_size=12))
def test_match__any_completions__each_request_has_its_own_or_is_missing(
    completions: Sequence[Completion],
) -> None:
    matched, missing = match(BATCH, PROMPTS, completions)
    assert {id(r) for r, _ in matched} | {id(r) for r in missing} == {id(r) for r in BATCH}
    assert len(matched) + len(missing) == len(BATCH)
    returned = [completion.id for completion in completions]
    for request, completion in matched:
        assert completion.id == str(request.verified.record.coordinates)
        assert returned.count(completion.id) == 1
    for request in missing:
        assert returned.count(str(request.verified.record.coordinates)) != 1


prompts = st.sampled_from(["a", "b"])
places = st.integers(0, 1)


@EXAMPLES
@given(prompts, prompts, places, places, st.booleans(), st.binary(max_size=20))
def test_read_lookup__what_another_request_left__is_told_by_hash_and_place(
    held_prompt: str, prompt: str, held_at: int, at: int, executed: bool, answer: bytes
) -> None:
    held = verified(ask("1", question(held_prompt)), held_at)
    mine: Verified = verified(ask("1", question(prompt)), at)
    value = lease_value(held)
    if executed:
        value = b"E" + value[1:] + b" " + answer
    found = read_lookup(mine, value)
    if held_prompt != prompt:
        assert found.found is Found.CONFLICT
        assert found.request_hash == held.request.purchase.request_hash
    elif executed:
        assert found.found is (Found.FINISHED if held_at == at else Found.EXECUTED)
        assert found.answer == answer
    else:
        assert found.found is (Found.LEASED if held_at == at else Found.IN_PROGRESS)
