"""Changes of datanets: the registry first, then the state that follows from it.

The registry says what a datanet has to hold. A change is one transaction there; then the state is
built from what it holds. When a process dies in between, the old state stays current, and any
later change of the datanet, the same one again included, builds what is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.datanets.building import BuildAttribution, build_state
from distributary.datanets.documents import Document, parse_datanet_name
from distributary.datanets.manifests import (
    Manifest,
    drop_pointer,
    make_manifest,
    read_manifest,
    read_pointer,
)
from distributary.datanets.reading import check_totals
from distributary.datanets.registering import NearCopy, register_documents
from distributary.datanets.texts import write_texts
from distributary.errors import InputError
from distributary.store import datanets as store

PREFIX_DIGITS_MIN = 8


@dataclass(frozen=True)
class Added:
    """What became of the documents given to `add_documents`.

    Attributes:
        manifest: hash of the state that is current now.
        documents: documents in the datanet now.
        added: how many were not in it.
        already_there: how many were.
        owned_by_others: (document, its owner, the owner that was given), left out.
        near_copies: in substance other owners' earlier documents, left out.
    """

    manifest: str
    documents: int
    added: int
    already_there: int
    owned_by_others: tuple[tuple[str, str, str], ...]
    near_copies: tuple[NearCopy, ...]


@dataclass(frozen=True)
class Removed:
    """What `remove_documents` or `remove_datanet` took out; `manifest` None: out of service."""

    manifest: str | None
    documents: int
    removed: int


class Registrar:
    """Changes datanets.

    Args:
        connection: to the registry; not in a transaction.
        lake: the lake folder.
        build_attribution: builds the attribution index of a state.
        on_stored: called once for each document whose text is stored.
        on_step: called with what is done next, in words for a person.
    """

    def __init__(
        self,
        connection: Connection[TupleRow],
        lake: Path,
        build_attribution: BuildAttribution,
        on_stored: Callable[[], object] = lambda: None,
        on_step: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._lake = lake
        self._build_attribution = build_attribution
        self._on_stored = on_stored
        self._on_step = on_step

    def add_documents(self, name: str, documents: Sequence[Document]) -> Added:
        """Adds documents to a datanet, which is made if it is not there.

        Content that somebody else owns, in any datanet, is left out and reported, and so is a near
        copy of it (`distributary.datanets.copies`).

        Raises:
            InputError: `bad_datanet_name`, `datanet_busy`, `registry_busy`, `too_many_documents`,
                `too_many_bytes`; nothing is registered then.
            DistributaryError: as `build_state`; the old state stays current.
        """
        parse_datanet_name(name)
        with store.datanet_lock(self._connection, name):
            with self._connection.transaction():
                self._on_step("Registering documents")
                known, copies = register_documents(self._connection, documents)
                owned, others = _part(documents, known, copies)
                store.make_datanet(self._connection, name)
                licences = [(known[hash_].document_id, d.licence) for hash_, d in owned.items()]
                added = store.add_documents(self._connection, name, licences)
                self._wanted(name)
                self._on_step("Storing texts")
                write_texts(self._lake, owned.values(), self._on_stored)
            manifest = self._build(name)
        return Added(
            manifest.hash,
            len(manifest.documents),
            added,
            len(owned) - added,
            tuple(others),
            tuple(copies),
        )

    def remove_documents(self, name: str, prefixes: Sequence[str]) -> Removed:
        """Takes documents out of a datanet; their registration and owners stay.

        Args:
            name: of the datanet.
            prefixes: document hashes, or at least their first eight digits.

        Raises:
            InputError: `unknown_datanet`, `unknown_document`, `ambiguous_document`.
        """
        parse_datanet_name(name)
        with store.datanet_lock(self._connection, name):
            with self._connection.transaction():
                self._require(name)
                there = self._there(name)
                documents = sorted({_resolve(there, prefix) for prefix in prefixes})
                removed = store.remove_documents(self._connection, name, documents)
            manifest = self._build(name)
        return Removed(manifest.hash, len(manifest.documents), removed)

    def remove_datanet(self, name: str) -> Removed:
        """Takes a whole datanet out of service; its manifests and indexes stay.

        Raises:
            InputError: `unknown_datanet`.
        """
        parse_datanet_name(name)
        with store.datanet_lock(self._connection, name):
            with self._connection.transaction():
                if read_pointer(self._lake, name) is None:
                    self._require(name)
                removed = len(self._wanted(name).documents)
                store.delete_datanet(self._connection, name)
            drop_pointer(self._lake, name)
        return Removed(None, 0, removed)

    def _require(self, name: str) -> None:
        if not store.datanet_exists(self._connection, name):
            raise unknown_datanet(name)

    def _there(self, name: str) -> set[str]:
        """What is registered or still served, so that an interrupted removal can be repeated."""
        entries = store.datanet_entries(self._connection, name)
        current = read_pointer(self._lake, name)
        served = read_manifest(self._lake, name, current).documents if current else ()
        return {entry.document for entry in (*entries, *served)}

    def _wanted(self, name: str) -> Manifest:
        manifest = make_manifest(name, store.datanet_entries(self._connection, name))
        check_totals(len(manifest.documents), sum(entry.bytes for entry in manifest.documents))
        return manifest

    def _build(self, name: str) -> Manifest:
        manifest = self._wanted(name)
        self._connection.commit()
        self._on_step(f"Building indexes of {len(manifest.documents):,} documents")
        build_state(self._lake, manifest, self._build_attribution, self._record)
        return manifest

    def _record(self, manifest: Manifest) -> None:
        with self._connection.transaction():
            store.record_manifest(self._connection, manifest)


def unknown_datanet(name: str) -> InputError:
    """The error for a name that no datanet has."""
    return InputError(
        "There is no such datanet: see `distributary datanet list`.",
        value=name,
        code="unknown_datanet",
    )


def _part(
    documents: Sequence[Document],
    known: dict[str, store.Registered],
    copies: Sequence[NearCopy],
) -> tuple[dict[str, Document], list[tuple[str, str, str]]]:
    """Parts documents, copies apart, into those of their owners, by hash, and of somebody else."""
    left_out = {(copy.document, copy.owner) for copy in copies}
    owned: dict[str, Document] = {}
    others: list[tuple[str, str, str]] = []
    for document in documents:
        if (document.hash, document.owner) in left_out:
            continue
        owner = known[document.hash].owner
        if owner == document.owner:
            owned.setdefault(document.hash, document)
        else:
            others.append((document.hash, owner, document.owner))
    return owned, others


def _resolve(documents: set[str], prefix: str) -> str:
    found = [document for document in documents if document.startswith(prefix)]
    if len(prefix) < PREFIX_DIGITS_MIN or not found:
        raise InputError(
            f"The datanet has no such document: give at least {PREFIX_DIGITS_MIN} digits of a hash "
            "that `distributary datanet show` lists.",
            value=prefix,
            code="unknown_document",
        )
    if len(found) > 1:
        raise InputError(
            "Several documents begin so: give more digits.", value=prefix, code="ambiguous_document"
        )
    return found[0]
