"""A request from its offset to answer, weights, Parquet file and epoch."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributary.errors import InputError
from distributary.identity import Identity, parse_address
from distributary.lake.files import answers_path

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: a request hash, or else an identity."""

    request_hash: str | None
    identity: Identity | None


def read_wanted(text: str) -> Wanted:
    """Reads a request hash, or account/source/id.

    The source may contain slashes, the id may not.

    Raises:
        InputError: `bad_request_name`: neither.
    """
    if _HASH.fullmatch(text.lower()):
        return Wanted(text.lower(), None)
    account, _, rest = text.partition("/")
    source, _, event_id = rest.rpartition("/")
    if not (source and event_id):
        raise InputError(
            "Name a request by its hash, 64 hex digits, or by account/source/id.",
            value=text,
            code="bad_request_name",
        )
    return Wanted(None, Identity(parse_address(account), source, event_id))


def trace(connection: "Connection[TupleRow]", lake: Path, text: str) -> list[dict[str, Any]]:
    """Everything on record of a request, one entry per answer record, the oldest first.

    Raises:
        InputError: `bad_request_name`; `unknown_request`: nothing is committed of it yet.
    """
    from distributary.store.trace import find_by_hash, find_by_identity

    wanted = read_wanted(text)
    if wanted.request_hash is not None:
        answers = find_by_hash(connection, wanted.request_hash)
    elif wanted.identity is not None:
        answers = find_by_identity(connection, *wanted.identity)
    if not answers:
        raise InputError(
            "Nothing is committed of this request: the attribution job may lag behind, see "
            "`distributary status`.",
            value=text,
            code="unknown_request",
        )
    for answer in answers:
        if answer["file"] is not None:
            path = answers_path(lake, answer["epoch"], answer["file"]["file"])
            answer["file"] = {**answer["file"], "path": str(path)}
    return answers
