"""The manifest of a datanet's state, and the pointer to the current one.

LAKE/datanets/NAME/manifests/<hash>.json    immutable; the hash is the SHA-256 of the file
LAKE/datanets/NAME/indexes/<hash>/          built from it: bm25/ and attribution/
LAKE/datanets/NAME/current.json             the pointer, swapped atomically
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from distributary.canonical import canonical_json, sha256_hex
from distributary.datanets.documents import parse_datanet_name, parse_document_hash
from distributary.datanets.durable import write_durably
from distributary.errors import DistributaryError, InputError
from distributary.strict_json import parse_json

MANIFEST_FORMAT = 1


class Entry(NamedTuple):
    """One document of a state: its hash, owner's label, licence, and size in bytes."""

    document: str
    owner: str
    licence: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """One state of a datanet; entries are sorted by document hash, each document once."""

    name: str
    documents: tuple[Entry, ...]

    @cached_property
    def data(self) -> bytes:
        """The manifest's file: RFC 8785."""
        return canonical_json(
            {
                "format": MANIFEST_FORMAT,
                "name": self.name,
                "documents": [entry._asdict() for entry in self.documents],
            }
        )

    @cached_property
    def hash(self) -> str:
        """What names the state: SHA-256 of its file, in hex."""
        return sha256_hex(self.data)


def make_manifest(name: str, entries: Iterable[Entry]) -> Manifest:
    """Returns the manifest of these documents, whatever their order."""
    return Manifest(name, tuple(sorted(entries)))


def datanet_folder(lake: Path, name: str) -> Path:
    """The folder of a datanet.

    Raises:
        InputError: `bad_datanet_name`.
    """
    return lake / "datanets" / parse_datanet_name(name)


def manifest_path(lake: Path, name: str, manifest_hash: str) -> Path:
    """The file of a manifest."""
    return datanet_folder(lake, name) / "manifests" / f"{parse_document_hash(manifest_hash)}.json"


def index_folder(lake: Path, name: str, manifest_hash: str) -> Path:
    """The folder of the indexes of a manifest."""
    return datanet_folder(lake, name) / "indexes" / parse_document_hash(manifest_hash)


def pointer_path(lake: Path, name: str) -> Path:
    """The file that names the current manifest of a datanet."""
    return datanet_folder(lake, name) / "current.json"


def write_manifest(lake: Path, manifest: Manifest) -> None:
    """Stores a manifest durably; safe to repeat."""
    write_durably(manifest_path(lake, manifest.name, manifest.hash), manifest.data)


def read_manifest(lake: Path, name: str, manifest_hash: str) -> Manifest:
    """Reads a manifest and checks its hash.

    Raises:
        InputError: `unknown_manifest`.
        DistributaryError: `manifest_damaged`.
    """
    path = manifest_path(lake, name, manifest_hash)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"Datanet {name} has no such manifest.", value=manifest_hash, code="unknown_manifest"
        ) from error
    if sha256_hex(data) != manifest_hash:
        raise DistributaryError(
            "A manifest is damaged: restore the file from a copy of the lake.",
            value=str(path),
            code="manifest_damaged",
        )
    parsed = parse_json(data)
    return Manifest(parsed["name"], tuple(Entry(**entry) for entry in parsed["documents"]))


def read_pointer(lake: Path, name: str) -> str | None:
    """The hash of the current manifest, None where the datanet has no state."""
    try:
        data = pointer_path(lake, name).read_bytes()
    except FileNotFoundError:
        return None
    return parse_document_hash(parse_json(data)["manifest"])


def swap_pointer(lake: Path, name: str, manifest_hash: str) -> None:
    """Makes a manifest the current one, atomically and durably."""
    write_durably(pointer_path(lake, name), canonical_json({"manifest": manifest_hash}))


def drop_pointer(lake: Path, name: str) -> None:
    """Takes a datanet out of service; its manifests and indexes stay."""
    pointer_path(lake, name).unlink(missing_ok=True)
