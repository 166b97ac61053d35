"""Canonical JSON (RFC 8785) and strict parsing: one byte string per value, one value per byte string."""

import hashlib
import json
import math
from typing import Any, NoReturn

import rfc8785

from distributary.errors import InputError


def canonical_json(value: Any) -> bytes:
    """Returns the RFC 8785 bytes of `value`.

    Raises:
        InputError: a number outside ±(2^53 - 1), a NaN, an infinity, or a type JSON lacks.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InputError(f"Not canonical JSON: {error}.", code="not_canonical") from error


def sha256_hex(data: bytes) -> str:
    """SHA-256 of `data` in 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def canonical_hash(value: Any) -> str:
    """SHA-256 over RFC 8785 of `value`, in hex."""
    return sha256_hex(canonical_json(value))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise InputError("A JSON object has a key twice.", code="duplicate_key")
    return parsed


def _no_constant(name: str) -> NoReturn:
    raise InputError("JSON has no such number.", value=name, code="not_json")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        _no_constant(text)
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)


def parse_json(data: bytes) -> Any:
    """Parses UTF-8 JSON, refusing what two parsers could read differently.

    Raises:
        InputError: `not_utf8`, `not_json` (too deep, NaN, infinities) or `duplicate_key`.
    """
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError("Not valid UTF-8.", code="not_utf8") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"Not JSON: {str(error)[:100]}.", code="not_json") from error
