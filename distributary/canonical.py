"""Canonical JSON (RFC 8785): one byte string per value."""

import hashlib
import re
from typing import Any

import orjson
import rfc8785

from distributary.errors import InputError

INTEGER_MAX = 2**53 - 1  # RFC 8785 section 3.2.2.3: what an IEEE double holds exactly
FLOAT_EXPONENT_MIN = 1e21  # from here on ECMAScript writes a number with an exponent

_PLAIN = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_SUBCLASS
_PLAIN |= orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
# A float (orjson writes NaN as null), or a text that looks like one; the values themselves tell.
_MAYBE_FLOAT = re.compile(rb"(?:^|[:,\[])(?:-?[0-9]+[.eE]|null)")


def _is_plain(value: Any) -> bool:
    """Whether orjson gives the RFC 8785 bytes: ASCII keys, no float, no type that JSON lacks.

    The two differ only in how they write floats and sort keys beyond ASCII.
    """
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool:
        return True
    if kind is dict:
        return all(type(k) is str and k.isascii() and _is_plain(v) for k, v in value.items())
    return kind is list and all(map(_is_plain, value))


def _check_floats(value: Any) -> None:
    """Refuses floats that RFC 8785 writes as integers which it refuses to write again."""
    if type(value) is float and INTEGER_MAX < abs(value) < FLOAT_EXPONENT_MIN:
        raise InputError("Not canonical JSON: a number above 2^53.", code="not_canonical")
    if type(value) is dict or type(value) is list:
        for child in value.values() if type(value) is dict else value:
            _check_floats(child)


def canonical_json(value: Any) -> bytes:
    """Returns the RFC 8785 bytes of `value`.

    orjson writes the values where the two agree: 1 µs a request instead of 70.

    Raises:
        InputError: a number outside ±(2^53 - 1), a NaN, an infinity, or a type JSON lacks.
    """
    try:
        written = orjson.dumps(value, option=_PLAIN)
        if (written.isascii() and not _MAYBE_FLOAT.search(written)) or _is_plain(value):
            return written
        _check_floats(value)
        return rfc8785.dumps(value)
    except (
        orjson.JSONEncodeError,
        rfc8785.CanonicalizationError,
        UnicodeEncodeError,
        RecursionError,
    ) as error:
        raise InputError(f"Not canonical JSON: {error}.", code="not_canonical") from error


def sha256_hex(data: bytes) -> str:
    """SHA-256 of `data` in 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def canonical_hash(value: Any) -> str:
    """SHA-256 over RFC 8785 of `value`, in hex."""
    return sha256_hex(canonical_json(value))
