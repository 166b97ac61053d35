"""Strict JSON: what two parsers could read differently is refused, with the code that says why."""

import sys
from typing import Any

import pytest

from distributary.canonical import canonical_hash, canonical_json, sha256_hex
from distributary.errors import InputError
from distributary.strict_json import DEPTH_MAX, parse_json


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"a":{"b":1,"b":1}}', "duplicate_key"),
        (b'{"\xc3\xa9":1,"\\u00e9":2}', "duplicate_key"),
        (b'"\xff"', "not_utf8"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{}{}", "not_json"),
        (b"NaN", "not_json"),
        (b"[Infinity]", "not_json"),
        (b"-Infinity", "not_json"),
        (b"1e400", "not_json"),
        (b"9" * 5000, "not_json"),
        (b"'a'", "not_json"),
        (b'"\n"', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "not_json"),
        (b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1), "not_json"),
    ],
)
def test_parse_json__not_strict_json__is_refused_with_its_code(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_json(data)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b" [1, 2.5, null, true] ", [1, 2.5, None, True]),
        (b"[" * DEPTH_MAX + b"]" * DEPTH_MAX, None),
        (b"[" + b"{}," * 500 + b"1]", [*({} for _ in range(500)), 1]),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_parse_json__strict_json__is_read(data: bytes, value: Any) -> None:
    parsed = parse_json(data)
    assert value is None or parsed == value


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        1e16,
        -1e20,
        float("nan"),
        float("inf"),
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        b"x",
    ],
)
def test_canonical_json__what_rfc_8785_cannot_write__is_refused(value: Any) -> None:
    with pytest.raises(InputError) as refused:
        canonical_json({"a": [value]})
    assert refused.value.code == "not_canonical"


def test_canonical_json__deeper_than_the_recursion_limit__is_refused() -> None:
    value: Any = 1.5
    for _ in range(5_000):
        value = [value]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)  # some library may have raised it
    try:
        with pytest.raises(InputError) as refused:
            canonical_json(value)
    finally:
        sys.setrecursionlimit(limit)
    assert refused.value.code == "not_canonical"


def test_parse_json__deep_where_a_library_raised_the_recursion_limit__is_refused() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # as py_ecc does; the parser would end the process
    try:
        with pytest.raises(InputError):
            parse_json(b"[" * 200_000)
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("start", [b'"', b"[" * 99 + b'"', b"{" * 99])
def test_parse_json__quotes_without_end__takes_no_longer_than_their_length(start: bytes) -> None:
    # A quadratic scan of this would take minutes: the test's own time-out notices.
    with pytest.raises(InputError):
        parse_json(start + b'\\"' * 2_000_000 + b"[" * 99)


def test_canonical_json__example_of_the_rfc__is_its_bytes() -> None:
    # RFC 8785 section 3.2.3: keys are sorted by UTF-16 code units.
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001, -0.0],
    }
    assert canonical_json(value).decode() == (
        '{"\\r":"Carriage Return","1":"One",'
        '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],'
        '"\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",'
        '"\u20ac":"Euro Sign","\U0001f600":"Emoji: Grinning Face",'
        '"\ufb33":"Hebrew Letter Dalet With Dagesh"}'
    )


def test_canonical_hash__of_equal_values__is_equal_whatever_the_order_of_keys() -> None:
    assert canonical_hash({"a": 1, "b": 2.0}) == canonical_hash({"b": 2, "a": 1.0})
    assert canonical_hash({}) == sha256_hex(b"{}")
