"""One item of the Triton model `attribute`: bytes in, bytes out, errors as text."""

import json
from itertools import chain
from typing import Any

from distributary.attribution.method import METHOD, Attribution, attribute
from distributary.attribution.reader import Indexes
from distributary.errors import DistributaryError, InputError
from distributary.strict_json import parse_json


def attribute_item(
    indexes: Indexes,
    answer: bytes,
    question: bytes,
    passages: bytes,
    datanet: bytes,
    manifest: bytes,
) -> tuple[bytes, bytes]:
    """Attributes one answer.

    Returns:
        The weights, JSON `{"commons", "method", "weights": [[document, weight], …]}`, and an
        empty error; or nothing and an error, `code: sentence`: `index_unavailable`, `bad_item` or
        `too_many_passages`.
    """
    try:
        index = indexes.get(_text(datanet), _text(manifest))
        made = attribute(_text(answer), _text(question), _passages(passages), index)
    except DistributaryError as error:
        return b"", f"{error.code}: {error}".encode()
    return _weights(made), b""


def _weights(made: Attribution) -> bytes:
    weights = [list(pair) for pair in made.weights]
    written = {"commons": made.commons, "method": METHOD, "weights": weights}
    return json.dumps(written, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError("An input is not UTF-8.", code="bad_item") from error


def _passages(data: bytes) -> list[tuple[str, str]]:
    try:
        listed: list[dict[str, Any]] = parse_json(data)
        passages = [(str(passage["document"]), str(passage["text"])) for passage in listed]
        "".join(chain.from_iterable(passages)).encode()  # refuses half a surrogate pair
        return passages
    except (ValueError, TypeError, KeyError, InputError) as error:
        raise InputError(
            'PASSAGES must be a list of {"document": …, "text": …}.', code="bad_item"
        ) from error
