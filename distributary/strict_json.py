"""Strict parsing of JSON: what two parsers could read differently is refused.

Needs nothing but the standard library: Triton's own environment imports it too.
"""

import json
import math
import re
from typing import Any, NoReturn

from distributary.errors import InputError

# Deeper JSON could pass one recursive reader and break the next; and where a library raises
# Python's recursion limit, as py_ecc does, the parser ends the process instead of raising.
DEPTH_MAX = 64
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


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


def _is_deep(data: bytes) -> bool:
    """Whether JSON nests deeper than `DEPTH_MAX`; linear, whatever the bytes are."""
    depth = 0
    for token in _TOKEN.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def parse_json(data: bytes) -> Any:
    """Parses UTF-8 JSON, refusing what two parsers could read differently.

    Raises:
        InputError: `not_utf8`, `duplicate_key` or `not_json` (NaN, infinities and too deep too).
    """
    if data.count(b"[") + data.count(b"{") > DEPTH_MAX and _is_deep(data):
        raise InputError(f"JSON may nest {DEPTH_MAX} deep.", code="not_json")
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError("Not valid UTF-8.", code="not_utf8") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"Not JSON: {str(error)[:100]}.", code="not_json") from error
