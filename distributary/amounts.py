"""Amounts: as they travel, and as a person writes them."""

import re
from typing import Final

from distributary.errors import InputError

_AMOUNT: Final = re.compile(r"(\d{1,78})(?:\.(\d{1,78}))?\s*(tokens?)?", re.ASCII)
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


def parse_amount(text: str, decimals: int) -> int:
    """Base units of `1000` (units) or of `2.5 tokens` (of 10^decimals units each).

    Raises:
        InputError: `bad_amount`: neither, not positive, finer than a unit, or above 2^256 - 1.
    """
    found = _AMOUNT.fullmatch(text.strip().replace("_", ""))
    if found is None or (found[2] and not found[3]):
        raise _bad(text, "Write base units such as 1000, or tokens such as '2.5 tokens'.")
    if not found[3]:
        units = int(found[1])
    else:
        fraction = (found[2] or "").rstrip("0")
        if len(fraction) > decimals:
            raise _bad(text, f"A token has {decimals} decimals.")
        units = int(found[1] + fraction.ljust(decimals, "0"))
    if not 0 < units <= UNITS_MAX:
        raise _bad(text, "Give a positive amount that the token can hold.")
    return units


def in_tokens(units: int, decimals: int) -> str:
    """An amount in tokens, exact, without trailing zeros."""
    sign, digits = ("-", str(-units)) if units < 0 else ("", str(units))
    digits = digits.rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return f"{sign}{whole}.{fraction}".rstrip("0").rstrip(".") if decimals else sign + digits


def _bad(text: str, sentence: str) -> InputError:
    return InputError(sentence, value=text, code="bad_amount")
