"""Columns of base units as exact decimals, for sums and comparisons without a Python integer a row.

Arrow's decimals are integers of 128 or 256 bits. Its sums do not notice an overflow, so each
function says how large its columns may be.
"""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

WIDE_DIGITS: Final = 38
NARROW_DIGITS: Final = 19  # times 10^9 and summed over 2^31 values this stays below 2^127


def read_units(column: pa.ChunkedArray, digits: int = WIDE_DIGITS) -> pa.ChunkedArray:
    """Decimal text as decimals; null where it is none, or has more digits than asked for.

    Returns:
        256 bits wide, so that the sum of a table never overflows; 128 for up to 19 digits.
    """
    is_short = pc.less_equal(pc.binary_length(column), digits)
    is_read = pc.and_(pc.ascii_is_decimal(column), is_short)
    kind = pa.decimal128 if digits <= NARROW_DIGITS else pa.decimal256
    return pc.cast(pc.if_else(is_read, column, None), kind(digits))


def sum_units(column: pa.ChunkedArray) -> int:
    """The exact sum of a column of decimal text.

    Raises:
        ValueError: a text is no integer.
    """
    units = read_units(column)
    if units.null_count:
        return sum(map(int, column.to_pylist()))
    return as_int(pc.sum(units))


def as_int(value: Any) -> int:
    """A decimal scalar as a Python integer; zero for a sum of nothing."""
    return int(value.as_py() or 0)
