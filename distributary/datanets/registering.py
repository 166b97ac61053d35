"""Registers documents: the first to register a content owns it, and its near copies too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.datanets.copies import Copied, Place, find_copied
from distributary.datanets.documents import Document
from distributary.datanets.shingles import shingle
from distributary.store import datanets as store
from distributary.store.shingles import add_shingles, known_places, lock_registry

BATCH_BYTES_MAX: Final = 1 << 22
"""Texts whose shingles are held in memory at once: some 400,000."""


@dataclass(frozen=True)
class NearCopy:
    """A document that is left out because it is, in substance, made of others' documents.

    Attributes:
        document: its hash.
        title: its title, "" where it has none.
        owner: the owner that was given.
        percent: share of its shingles that others registered first, rounded down.
        originals: (document, owner) that it was made of, most of it first.
    """

    document: str
    title: str
    owner: str
    percent: int
    originals: tuple[tuple[str, str], ...]


def register_documents(
    connection: Connection[TupleRow], documents: Sequence[Document]
) -> tuple[dict[str, store.Registered], list[NearCopy]]:
    """Registers what is nobody's yet, in the order given; a near copy of others' is left out.

    Returns:
        All registered ones of the contents given, by hash, with their owners; and the near copies.

    Raises:
        InputError: `registry_busy`.
    """
    lock_registry(connection)
    hashes = {document.hash for document in documents}
    known = store.registered(connection, hashes)
    new = [document for document in documents if document.hash not in known]
    accepted: set[str] = set()
    copies: list[NearCopy] = []
    for part in _parts(new):
        copies += _register(connection, part, accepted)
    return (store.registered(connection, hashes) if new else known), copies


def _parts(documents: Sequence[Document]) -> Iterator[list[Document]]:
    part: list[Document] = []
    size = 0
    for document in documents:
        part.append(document)
        size += len(document.data)
        if size >= BATCH_BYTES_MAX:
            yield part
            part, size = [], 0
    if part:
        yield part


def _register(
    connection: Connection[TupleRow], documents: Sequence[Document], accepted: set[str]
) -> list[NearCopy]:
    """Registers a part; adds the hashes of what was no copy to `accepted`."""
    shingled = {document.hash: shingle(document.text) for document in documents}
    places = known_places(connection, {one for text in shingled.values() for one in text.all})
    added: dict[int, Place] = {}
    rows: list[Document] = []
    copies: list[NearCopy] = []
    for document in documents:
        if document.hash in accepted:
            continue
        text = shingled[document.hash]
        if found := find_copied(text, places, document.owner):
            copies.append(_near_copy(document, found))
            continue
        accepted.add(document.hash)
        rows.append(document)
        for position, one in enumerate(text.all):
            if one not in places:
                places[one] = added[one] = Place(document.hash, document.owner, position)
    store.insert_documents(connection, rows)
    ids = store.registered(connection, [document.hash for document in rows])
    add_shingles(connection, added, {hash_: known.document_id for hash_, known in ids.items()})
    return copies


def _near_copy(document: Document, found: Copied) -> NearCopy:
    return NearCopy(document.hash, document.title, document.owner, found.percent, found.originals)
