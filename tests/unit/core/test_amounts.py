"""Amounts as they travel, and as a person writes them."""

import pytest

from distributary.amounts import in_tokens, parse_amount, parse_units
from distributary.errors import InputError


@pytest.mark.parametrize(
    ("text", "units"),
    [
        *(("0", 0), ("15", 15), (str(2**256 - 1), 2**256 - 1), (str(2**256), None)),
        *(("01", None), ("-1", None), ("1" * 79, None), ("٣", None), (5, None), (None, None)),
    ],
)
def test_parse_units__edges__are_canonical_uint256(text: object, units: int | None) -> None:
    assert parse_units(text) == units


@pytest.mark.parametrize(
    ("text", "units"),
    [
        *(("1000", 1000), ("1_000", 1000), ("2.5 tokens", 25 * 10**17), ("1token", 10**18)),
        *(
            ("0.000000000000000001 tokens", 1),
            (" 7 tokens ", 7 * 10**18),
            (str(2**256 - 1), 2**256 - 1),
        ),
        ("1.50000000000000000000000 tokens", 15 * 10**17),
    ],
)
def test_parse_amount__units_or_tokens__is_exact(text: str, units: int) -> None:
    assert parse_amount(text, 18) == units


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0 tokens", "-1", "1.5", "2,5 tokens", "1e3", "0.0000000000000000001 tokens"),
        *(str(2**256), "five", "1 tok", "٣"),
    ],
)
def test_parse_amount__anything_else__is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_amount(text, 18)

    assert refused.value.code == "bad_amount"


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [
        *((0, 18, "0"), (1, 18, "0.000000000000000001"), (10**19, 18, "10"), (15, 1, "1.5")),
        *((-15, 1, "-1.5"), (100, 0, "100"), (25 * 10**17, 18, "2.5")),
    ],
)
def test_in_tokens__units__are_shown_whole(units: int, decimals: int, text: str) -> None:
    assert in_tokens(units, decimals) == text
