"""Where each shingle was first registered, in Postgres: what copies are found by."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.datanets.copies import Place
from distributary.errors import InputError

REGISTRY_LOCK = 7_310_007
"""Key of the advisory lock under which documents are registered."""

LOCK_WAIT_MS_MAX = 60_000
LOOKED_UP_MAX = 50_000
"""Shingles of one query."""

T = TypeVar("T")


def lock_registry(connection: Connection[TupleRow]) -> None:
    """Lets one transaction at a time register documents, so that one of two copies is the first.

    Raises:
        InputError: `registry_busy`: another one has been registering for a minute.
    """
    try:
        connection.execute(f"set local lock_timeout = {LOCK_WAIT_MS_MAX}")
        connection.execute("select pg_advisory_xact_lock(%s)", (REGISTRY_LOCK,))
        connection.execute("set local lock_timeout = 0")
    except psycopg.errors.LockNotAvailable as error:
        raise InputError(
            "Another process is registering documents: try again when it is done.",
            code="registry_busy",
        ) from error


def known_places(connection: Connection[TupleRow], shingles: Iterable[int]) -> dict[int, Place]:
    """Those of `shingles` that are registered, with the documents that were first."""
    found: list[tuple[int, int, int]] = []
    # The statistics of a table that this transaction fills are behind: it would be read whole.
    connection.execute("set local enable_seqscan = off")
    for part in batches(sorted(shingles), LOOKED_UP_MAX):
        found += connection.execute(
            "select shingle, document_id, position from shingles where shingle = any(%b::int8[])",
            (part,),
        ).fetchall()
    connection.execute("set local enable_seqscan = on")
    owners = _owners(connection, {document_id for _, document_id, _ in found})
    return {
        shingle: Place(*owners[document_id], position) for shingle, document_id, position in found
    }


def _owners(
    connection: Connection[TupleRow], document_ids: Iterable[int]
) -> dict[int, tuple[str, str]]:
    rows = connection.execute(
        """
        select document_id, document, label from documents join owners using (owner_id)
        where document_id = any(%s)
        """,
        (list(document_ids),),
    )
    return {document_id: (document, label) for document_id, document, label in rows}


def add_shingles(
    connection: Connection[TupleRow], places: Mapping[int, Place], ids: Mapping[str, int]
) -> None:
    """Registers shingles that are not known yet; `ids` has the numbers of their documents."""
    with (
        connection.cursor() as cursor,
        cursor.copy("copy shingles from stdin (format binary)") as copy,
    ):
        copy.set_types(["int8", "int8", "int4"])
        for shingle, place in sorted(places.items()):
            copy.write_row((shingle, ids[place.document], place.position))


def batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Parts of at most `size`."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part
