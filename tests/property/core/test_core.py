"""Properties of the core: canonical bytes, the low-water mark, exact division, hashes, charges."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from distributary.apportion import largest_remainder
from distributary.canonical import INTEGER_MAX, canonical_json
from distributary.errors import InputError
from distributary.fast_json import read_json
from distributary.identity import Domain, Identity
from distributary.low_water import LowWater
from distributary.requests import make_purchase, read_request
from distributary.rules import Price
from distributary.strict_json import parse_json
from tests.senders import DOMAIN, Customer

EXAMPLES = settings(max_examples=60)


def reads_back(number: float) -> bool:
    """Whether RFC 8785 writes a float in a form that it also reads."""
    return not INTEGER_MAX < abs(number) < 1e21


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False).filter(reads_back)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts, inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner, max_size=4)
    ),
    max_leaves=20,
)


@EXAMPLES
@given(values)
def test_canonical_json__any_value__are_the_bytes_of_the_reference(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@EXAMPLES
@given(values)
def test_canonical_json__parsed_and_written_again__are_the_same_bytes(value: Any) -> None:
    data = canonical_json(value)
    assert parse_json(data) == value
    assert canonical_json(parse_json(data)) == data


@EXAMPLES
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_parse_json__any_bytes__are_a_value_or_refused(data: bytes) -> None:
    try:
        value = parse_json(data)
    except InputError as error:
        refused = error.code in ("not_utf8", "not_json", "duplicate_key")
    else:
        refused = value == json.loads(data)
    assert refused


def outcome(read: Callable[[bytes], Any], data: bytes) -> tuple[str, str]:
    """What a reader says of bytes: the value with its types, or the code of the refusal."""
    try:
        return "read", repr(read(data))
    except InputError as error:
        return "refused", error.code


@EXAMPLES
@given(
    values | st.integers() | st.floats(),
    st.sampled_from([orjson.dumps, canonical_json, lambda value: json.dumps(value).encode()]),
    st.integers(0, 40),
    st.binary(max_size=4),
)
def test_read_json__written_by_anyone_and_damaged__is_what_the_strict_reader_says(
    value: Any, write: Callable[[Any], bytes], at: int, damage: bytes
) -> None:
    try:
        data = write(value)
    except (InputError, orjson.JSONEncodeError):
        data = repr(value).encode("utf-8", "surrogatepass")
    for given_bytes in (data, data[:at] + damage + data[at + len(damage) :]):
        assert outcome(read_json, given_bytes) == outcome(parse_json, given_bytes)


@pytest.mark.parametrize(
    "data", [b'{"a":1,"a":1}', b"-0", b"1e400", b"18446744073709551616", b'"\\ud800"', b"[" * 70]
)
def test_read_json__what_orjson_reads_otherwise__is_what_the_strict_reader_says(
    data: bytes,
) -> None:
    assert outcome(read_json, data) == outcome(parse_json, data)


@EXAMPLES
@given(values, st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_read_request__damaged_anywhere__is_read_or_refused(
    body: Any, at: int, damage: bytes
) -> None:
    payload = Customer().request("1", {"body": body}).payload()
    damaged = payload[:at] + damage + payload[at + len(damage) :]
    try:
        request = read_request(damaged, "test", "1", DOMAIN)
    except InputError:
        return
    purchase = Customer().request("1", {"body": body}).purchase
    same = request.purchase == purchase
    assert same == (request.purchase.request_hash == purchase.request_hash)


BODY = {"model": "m", "prompt": "x"}
PURCHASE = (DOMAIN, Identity("0x" + "a" * 40, "s", "i"), BODY, "0" * 32, "5", 9)
CHANGES: list[Callable[[str, int], tuple[Any, ...]]] = [
    lambda text, number: (replace(DOMAIN, chain_id=number), *PURCHASE[1:]),
    lambda text, number: (Domain(31337, text), *PURCHASE[1:]),
    lambda text, number: (DOMAIN, PURCHASE[1]._replace(account=text), *PURCHASE[2:]),
    lambda text, number: (DOMAIN, PURCHASE[1]._replace(source=text), *PURCHASE[2:]),
    lambda text, number: (DOMAIN, PURCHASE[1]._replace(id=text), *PURCHASE[2:]),
    lambda text, number: (*PURCHASE[:2], BODY | {"prompt": text}, *PURCHASE[3:]),
    lambda text, number: (*PURCHASE[:2], BODY | {text: number}, *PURCHASE[3:]),
    lambda text, number: (*PURCHASE[:3], text, *PURCHASE[4:]),
    lambda text, number: (*PURCHASE[:4], text, PURCHASE[5]),
    lambda text, number: (*PURCHASE[:5], number),
]


@EXAMPLES
@given(st.sampled_from(CHANGES), texts, st.integers(0, INTEGER_MAX))
def test_request_hash__any_signed_field_changes__changes(
    change: Callable[[str, int], tuple[Any, ...]], text: str, number: int
) -> None:
    changed = change(text, number)
    same = changed == PURCHASE
    assert (make_purchase(*changed).request_hash == make_purchase(*PURCHASE).request_hash) == same


@EXAMPLES
@given(st.integers(0, 10**40), st.dictionaries(st.text(max_size=3), st.integers(0, 10**20)))
def test_largest_remainder__any_weights__sums_exactly_and_is_fair(
    total: int, weights: dict[str, int]
) -> None:
    whole = sum(weights.values())
    if whole == 0:
        total = 0
    parts = largest_remainder(total, weights)
    assert sum(parts.values()) == total
    for key, weight in weights.items():
        exact = Fraction(total * weight, whole) if whole else Fraction(0)
        assert abs(parts[key] - exact) < 1


@EXAMPLES
@given(st.data(), st.dictionaries(st.text(max_size=3), st.integers(1, 50), min_size=1))
def test_largest_remainder__weights_in_another_order__gives_the_same_parts(
    data: st.DataObject, weights: dict[str, int]
) -> None:
    total = data.draw(st.integers(0, 1000))
    shuffled = dict(data.draw(st.permutations(list(weights.items()))))
    assert largest_remainder(total, shuffled) == largest_remainder(total, weights)


units = st.integers(0, 10**30)
tokens = st.integers(0, 10**9)


@EXAMPLES
@given(units, units, tokens, tokens)
def test_charge_units__any_price__is_the_ceiling_of_the_exact_sum(
    prompt_units: int, answer_units: int, prompt_tokens: int, answer_tokens: int
) -> None:
    exact = Fraction(prompt_tokens * prompt_units + answer_tokens * answer_units, 1000)
    charge = Price(prompt_units, answer_units).charge_units(prompt_tokens, answer_tokens)
    assert charge == ceil(exact)


class LowWaterAgainstAList(RuleBasedStateMachine):
    """The mark, next to the simplest thing that could be right: a list of [offset, finished]."""

    def __init__(self) -> None:
        super().__init__()
        self.water, self.records, self.next = LowWater(3), list[list[Any]](), 3

    @rule(gaps=st.lists(st.integers(0, 3), max_size=5))
    def deliver(self, gaps: list[int]) -> None:
        offsets = []
        for gap in gaps:
            offsets.append(self.next + gap)
            self.next = offsets[-1] + 1
        self.water.deliver(offsets)
        self.records += [[offset, False] for offset in offsets]

    @precondition(lambda self: any(not done for _, done in self.records))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        record = data.draw(st.sampled_from([r for r in self.records if not r[1]]))
        record[1] = True
        self.water.finish(record[0])

    @invariant()
    def agrees(self) -> None:
        prefix = [offset for i, (offset, _) in enumerate(self.records) if self._done_up_to(i)]
        assert self.water.position == (prefix[-1] + 1 if prefix else 3)
        assert self.water.ahead == len(self.records) - len(prefix)

    def _done_up_to(self, index: int) -> bool:
        return all(done for _, done in self.records[: index + 1])


TestLowWater = LowWaterAgainstAList.TestCase
TestLowWater.settings = settings(max_examples=25, stateful_step_count=25)


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1}])
def test_largest_remainder__ties__go_to_the_smaller_key(weights: dict[str, int]) -> None:
    assert largest_remainder(1, weights) == {"a": 1, "b": 0}
