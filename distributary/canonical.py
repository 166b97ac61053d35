"""Canonical JSON (RFC 8785): one byte string per value."""

import hashlib
from typing import Any

import orjson
import rfc8785

from distributary.errors import InputError

INTEGER_MAX = 2**53 - 1  # RFC 8785 section 3.2.2.3: what an IEEE double holds exactly
FLOAT_EXPONENT_MIN = 1e21  # from here on ECMAScript writes a number with an exponent

_PLAIN = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_SUBCLASS
_PLAIN |= orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_LEAVES = frozenset((str, int, bool, type(None)))


def _is_plain(value: Any, *, ascii_keys: bool) -> bool:
    """Whether orjson gives the RFC 8785 bytes: ASCII keys, no float, no type that JSON lacks.

    The two differ only in how they write floats and sort keys beyond ASCII.
    """
    kind = type(value)
    if kind is dict:
        if not ascii_keys and not all(map(str.isascii, value)):
            return False
        children = value.values()
    elif kind is list:
        children = value
    else:
        return kind in _LEAVES
    # All types at once: for the usual flat object a third of the time of a call for each value.
    return _LEAVES.issuperset(map(type, children)) or all(
        _is_plain(child, ascii_keys=ascii_keys) for child in children
    )


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
        if _is_plain(value, ascii_keys=written.isascii()):
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
