"""Amounts as decimal digits."""

import pytest

from distributary.amounts import parse_units


@pytest.mark.parametrize(
    ("text", "units"),
    [
        *(("0", 0), ("15", 15), (str(2**256 - 1), 2**256 - 1), (str(2**256), None)),
        *(("01", None), ("-1", None), ("1" * 79, None), ("٣", None), (5, None), (None, None)),
    ],
)
def test_parse_units__edges__are_canonical_uint256(text: object, units: int | None) -> None:
    assert parse_units(text) == units
