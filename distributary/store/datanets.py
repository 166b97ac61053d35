"""The registry of documents and datanets in Postgres."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from distributary.datanets.documents import Document
from distributary.datanets.manifests import Entry, Manifest
from distributary.errors import InputError

LOCK_CLASS = 0x0D47A
"""First key of the advisory locks of datanets; the second is the hash of the name."""

LOCK_WAIT_MS_MAX = 60_000


class Registered(NamedTuple):
    """A document as the registry knows it."""

    document: str
    document_id: int
    owner: str


@dataclass(frozen=True)
class DatanetRow:
    """A datanet with what is in it; sizes in bytes."""

    name: str
    documents: int
    owners: int
    bytes: int
    made_at: datetime


@dataclass(frozen=True)
class DocumentRow:
    """A document of a datanet; its size in bytes, `title` "" where it has none."""

    document: str
    owner: str
    licence: str
    bytes: int
    title: str


@contextmanager
def datanet_lock(connection: Connection[TupleRow], name: str) -> Iterator[None]:
    """Lets one process at a time change a datanet; ends with the connection at the latest.

    Raises:
        InputError: `datanet_busy`: another one has been changing it for a minute.
    """
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = {LOCK_WAIT_MS_MAX}")
            connection.execute("select pg_advisory_lock(%s, hashtext(%s))", (LOCK_CLASS, name))
    except psycopg.errors.LockNotAvailable as error:
        raise InputError(
            "Another process is changing this datanet: try again when it is done.",
            value=name,
            code="datanet_busy",
        ) from error
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):  # the server frees the lock of a lost connection
            connection.rollback()
            connection.execute("select pg_advisory_unlock(%s, hashtext(%s))", (LOCK_CLASS, name))
            connection.commit()


def insert_documents(connection: Connection[TupleRow], documents: Sequence[Document]) -> None:
    """Registers contents that nobody owns yet, and their owners; each content once.

    The caller holds the registry's lock (`distributary.store.shingles`).
    """
    connection.execute(
        """
        insert into owners (label)
        select label from unnest(%s::text[]) with ordinality as given (label, position)
        order by position
        on conflict (label) do nothing
        """,
        (sorted({document.owner for document in documents}),),
    )
    rows = sorted(documents, key=lambda document: document.hash)
    connection.execute(
        """
        insert into documents (document, owner_id, bytes, title)
        select document, owner_id, bytes, title
        from unnest(%s::text[], %s::text[], %s::int8[], %s::text[])
            as given (document, label, bytes, title)
        join owners using (label)
        order by document
        """,
        (
            [document.hash for document in rows],
            [document.owner for document in rows],
            [len(document.data) for document in rows],
            [document.title for document in rows],
        ),
    )


def registered(connection: Connection[TupleRow], documents: Iterable[str]) -> dict[str, Registered]:
    """The known ones among these document hashes, by hash."""
    rows = connection.execute(
        """
        select document, document_id, label
        from documents join owners using (owner_id)
        where document = any(%s)
        """,
        (list(documents),),
    )
    return {row[0]: Registered(*row) for row in rows}


def make_datanet(connection: Connection[TupleRow], name: str) -> None:
    """Registers a datanet; safe to repeat."""
    connection.execute("insert into datanets (name) values (%s) on conflict do nothing", (name,))


def delete_datanet(connection: Connection[TupleRow], name: str) -> bool:
    """Forgets a datanet, not its documents, owners or manifests; False if there was none."""
    return connection.execute("delete from datanets where name = %s", (name,)).rowcount == 1


def add_documents(
    connection: Connection[TupleRow], name: str, licences: Sequence[tuple[int, str]]
) -> int:
    """Puts (document id, licence) pairs into a datanet; returns how many were not in it."""
    return connection.execute(
        """
        insert into datanet_documents (name, document_id, licence)
        select %s, document_id, licence
        from unnest(%s::int8[], %s::text[]) as given (document_id, licence)
        order by document_id
        on conflict do nothing
        """,
        (name, [pair[0] for pair in licences], [pair[1] for pair in licences]),
    ).rowcount


def remove_documents(connection: Connection[TupleRow], name: str, documents: Sequence[str]) -> int:
    """Takes documents out of a datanet; returns how many were in it."""
    return connection.execute(
        """
        delete from datanet_documents
        using documents
        where datanet_documents.name = %s
            and documents.document_id = datanet_documents.document_id
            and documents.document = any(%s)
        """,
        (name, list(documents)),
    ).rowcount


def datanet_exists(connection: Connection[TupleRow], name: str) -> bool:
    """Whether a datanet is registered."""
    found = connection.execute("select 1 from datanets where name = %s", (name,)).fetchone()
    return found is not None


def datanet_entries(connection: Connection[TupleRow], name: str) -> list[Entry]:
    """What the manifest of a datanet has to hold."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(
            """
            select document, label as owner, licence, bytes
            from datanet_documents
            join documents using (document_id)
            join owners using (owner_id)
            where name = %s
            order by document
            """,
            (name,),
        ).fetchall()


def datanet_documents(connection: Connection[TupleRow], name: str) -> list[DocumentRow]:
    """The documents of a datanet, sorted by hash."""
    with connection.cursor(row_factory=class_row(DocumentRow)) as cursor:
        return cursor.execute(
            """
            select document, label as owner, licence, bytes, title
            from datanet_documents
            join documents using (document_id)
            join owners using (owner_id)
            where name = %s
            order by document
            """,
            (name,),
        ).fetchall()


def list_datanets(connection: Connection[TupleRow]) -> list[DatanetRow]:
    """All datanets, sorted by name."""
    with connection.cursor(row_factory=class_row(DatanetRow)) as cursor:
        return cursor.execute(
            """
            select
                name,
                made_at,
                count(document_id) as documents,
                count(distinct owner_id) as owners,
                coalesce(sum(bytes), 0)::int8 as bytes
            from datanets
            left join datanet_documents using (name)
            left join documents using (document_id)
            group by name
            order by name
            """
        ).fetchall()


def record_manifest(connection: Connection[TupleRow], manifest: Manifest) -> None:
    """Records a state whose indexes are built; safe to repeat."""
    connection.execute(
        """
        insert into manifests (manifest, name, documents, bytes)
        values (%s, %s, %s, %s)
        on conflict do nothing
        """,
        (
            manifest.hash,
            manifest.name,
            len(manifest.documents),
            sum(entry.bytes for entry in manifest.documents),
        ),
    )
