"""JSON on the hot path: orjson where it agrees with the strict reader, else the strict reader."""

import json
from typing import Any

import orjson

from distributary.strict_json import DEPTH_MAX, parse_json

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def read_json(data: bytes) -> Any:
    """Reads JSON as `strict_json.parse_json` does, ten times as fast when it is written compactly.

    JSON that orjson writes again byte for byte has no key twice, no number that two parsers could
    read differently, and no invalid UTF-8: there is nothing left for the strict reader to refuse.

    Raises:
        InputError: as `parse_json`.
    """
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        try:
            value = orjson.loads(data)
            if orjson.dumps(value) == data:
                return value
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass  # the strict reader says what is wrong
    return parse_json(data)


def write_json(value: Any) -> bytes:
    """Writes compact JSON; integers may be of any size."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return _ENCODER.encode(value).encode()
