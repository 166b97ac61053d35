"""Amounts as they travel: decimal digits of base units."""

from typing import Final

UNITS_MAX: Final = 2**256 - 1  # what a uint256 of the chain holds
DIGITS_MAX: Final = len(str(UNITS_MAX))


def parse_units(value: object) -> int | None:
    """Reads decimal digits without sign or leading zero, at most 2^256 - 1; None otherwise."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        return None
    if len(value) > DIGITS_MAX or (value[0] == "0" and value != "0"):
        return None
    units = int(value)
    return units if units <= UNITS_MAX else None
