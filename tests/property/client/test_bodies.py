"""The hand-written reader of bodies accepts exactly what the JSON Schema accepts."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from distributary.bodies import read_body
from distributary.errors import InputError
from distributary.events import REQUEST_TYPE
from distributary.schemas import load_schema

SCHEMA = load_schema(REQUEST_TYPE)
VALIDATOR = Draft202012Validator(
    {"$schema": SCHEMA["$schema"], "$ref": "#/$defs/body", "$defs": SCHEMA["$defs"]}
)

names = st.one_of(
    st.sampled_from(["wiki", "a" * 63, "a" * 64, "", "Wiki", "wiki\n", "é", "a_b", "a.b"]),
    st.text(),
)
texts = st.one_of(st.sampled_from(["Why?", "", " ", "\t\r\n", "\u00a0", "\x1c", " x "]), st.text())
numbers = st.one_of(
    st.sampled_from([0, 1, 64, 256, 257, 64.0, 64.5, 300_000, 300_001, -1, True, False, 1e300]),
    st.integers(),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
messages = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "role": st.sampled_from(["system", "user", "assistant", "tool", 1]),
                "content": st.one_of(texts, st.just("Why?")),
            },
            optional={"name": st.just("x")},
        ),
        anything,
    ),
    max_size=4,
)
model_settings = st.one_of(
    st.fixed_dictionaries({}, optional={"max_tokens": numbers, "temperature": numbers}), anything
)
OPTIONAL = {
    "prompt": st.one_of(texts, anything),
    "messages": st.one_of(messages, anything),
    "datanet": st.one_of(names, anything),
    "adapter": names,
    "agent": names,
    "settings": model_settings,
    "deadline_ms": st.one_of(numbers, anything),
}
bodies = st.one_of(
    st.fixed_dictionaries(
        {"model": st.one_of(st.just("simulated"), names)},
        optional=OPTIONAL | {"priority": anything, "region": anything, "surprise": anything},
    ),
    # Mostly valid ones, or the two would agree by refusing everything.
    st.fixed_dictionaries(
        {"model": st.just("simulated"), "prompt": st.just("Why?")},
        optional={
            "datanet": st.sampled_from(["wiki", "Wiki"]),
            "settings": model_settings,
            "deadline_ms": numbers,
        },
    ),
    st.fixed_dictionaries({"model": st.just("simulated"), "messages": messages}),
    anything,
)


def accepted(body: Any) -> bool:
    try:
        read_body(body)
    except InputError as error:
        if error.code not in ("bad_request", "empty_prompt"):
            raise
        return False
    return True


@settings(max_examples=300)
@given(bodies)
@example({"model": "m", "messages": [{"role": "user", "content": "x"}] * 64})
@example({"model": "m", "messages": [{"role": "user", "content": "x"}] * 65})
@example({"model": "m", "messages": [{"role": "system", "content": "x"}]})
@example({"model": "m", "prompt": "x", "messages": [{"role": "user", "content": "x"}]})
@example({"model": "m\n", "prompt": "x"})
@example({"model": "m", "prompt": "x", "datanet": "wiki\n"})
@example({"model": "m", "prompt": "x", "settings": {"max_tokens": 64.0}})
@example({"model": "m", "prompt": "x", "settings": {"max_tokens": True}})
@example({"model": "m", "prompt": "x", "priority": None})
def test_read_body__any_json__accepts_what_the_schema_accepts(body: Any) -> None:
    assert accepted(body) == VALIDATOR.is_valid(body)


@pytest.mark.parametrize("body", [{"model": "m", "prompt": "x"}, {"model": "m"}])
def test_accepted__both_outcomes__are_reached(body: Any) -> None:
    assert accepted(body) == ("prompt" in body)
