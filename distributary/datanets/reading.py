"""Documents out of files: text, Markdown and JSONL.

Nothing is followed out of the given tree: a symlink is refused, whatever it points to.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributary.datanets.documents import (
    DATANET_BYTES_MAX,
    DATANET_DOCUMENTS_MAX,
    DOCUMENT_BYTES_MAX,
    LABEL_CHARACTERS_MAX,
    Document,
    document_too_large,
    make_document,
)
from distributary.errors import InputError
from distributary.strict_json import parse_json

TEXT_SUFFIXES = (".txt", ".text", ".md", ".markdown")
JSONL_SUFFIXES = (".jsonl",)
SUFFIXES = TEXT_SUFFIXES + JSONL_SUFFIXES

LINE_BYTES_MAX = 6 * DOCUMENT_BYTES_MAX + 4_096
"""JSON writes a byte in six at the most; the rest is for the other fields."""

DEPTH_MAX = 32
FIELDS = {"text", "owner", "licence", "title"}


@dataclass(frozen=True)
class Defaults:
    """Owner and licence of a document that states none, "" where none was given."""

    owner: str = ""
    licence: str = ""


def find_files(path: Path) -> list[Path]:
    """The files to read at `path`: itself, or those with a known suffix in its tree, sorted.

    Hidden files and folders are passed over, and so are files of other kinds.

    Raises:
        InputError: `no_such_path`, `symlink`, `unknown_kind`, `too_deep`, or `no_files`.
    """
    if path.is_symlink():
        raise _symlink(path)
    if not path.exists():
        raise InputError("There is no such file or folder.", value=str(path), code="no_such_path")
    if not path.is_dir():
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(
                f"A document's file ends in one of {' '.join(SUFFIXES)}.",
                value=str(path),
                code="unknown_kind",
            )
        return [path]
    files = list(_walk(path, DEPTH_MAX))
    if not files:
        raise InputError(
            f"The folder has no file that ends in one of {' '.join(SUFFIXES)}.",
            value=str(path),
            code="no_files",
        )
    return files


def _symlink(path: Path) -> InputError:
    return InputError(
        "Symlinks are not followed: give the file or folder itself.",
        value=str(path),
        code="symlink",
    )


def _walk(folder: Path, depth_left: int) -> Iterator[Path]:
    if depth_left == 0:
        raise InputError(
            f"Folders are read {DEPTH_MAX} levels deep.", value=str(folder), code="too_deep"
        )
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error.strerror) from error
    for path in paths:
        if path.name.startswith("."):
            continue
        if path.is_symlink():
            raise _symlink(path)
        if path.is_dir():
            yield from _walk(path, depth_left - 1)
        elif path.suffix.lower() in SUFFIXES:
            yield path


def _open(path: Path) -> int:
    """Opens a regular file, not a symlink put in its place since, and never waits for a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unreadable(path, "Not a regular file")
    return descriptor


def _unreadable(path: Path, reason: str | None) -> InputError:
    return InputError(f"Cannot be read: {reason}.", value=str(path), code="unreadable")


def _decode(data: bytes) -> str:
    if len(data) > DOCUMENT_BYTES_MAX:
        raise document_too_large()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"Not valid UTF-8 at byte {error.start}.", code="not_utf8") from error


def _read_text(path: Path, defaults: Defaults) -> Iterator[Document]:
    with os.fdopen(_open(path), "rb") as file:
        data = file.read(DOCUMENT_BYTES_MAX + 1)
    title = path.name if path.name.isprintable() and len(path.name) <= LABEL_CHARACTERS_MAX else ""
    try:
        yield _make(_decode(data), defaults.owner, defaults.licence, title)
    except InputError as error:
        raise _at(error, _shown(path)) from error


def _shown(path: Path) -> str:
    return str(path) if str(path).isprintable() else ascii(str(path))


def _make(text: str, owner: str, licence: str, title: str) -> Document:
    for name, value in (("owner", owner), ("licence", licence)):
        if not value:
            raise InputError(
                f"No {name}: give --{name}, or field {name} in a JSONL line.", code=f"no_{name}"
            )
    return make_document(text, owner, licence, title)


def _field(record: dict[str, Any], name: str, default: str = "") -> str:
    value = record.get(name, default)
    if not isinstance(value, str):
        raise InputError(f"Field {name} must be text.", code="bad_field")
    return value


def _parse_line(line: bytes, defaults: Defaults) -> Document:
    if len(line) > LINE_BYTES_MAX:
        raise InputError(f"A line has at most {LINE_BYTES_MAX:,} bytes.", code="line_too_long")
    record = parse_json(line)
    if not isinstance(record, dict):
        raise InputError("A line must hold a JSON object.", code="bad_field")
    if unknown := sorted(record.keys() - FIELDS):
        raise InputError(
            f"Fields are {', '.join(sorted(FIELDS))}.", value=unknown[0], code="bad_field"
        )
    if "text" not in record:
        raise InputError("Field text is missing.", code="bad_field")
    return _make(
        _field(record, "text"),
        _field(record, "owner", defaults.owner),
        _field(record, "licence", defaults.licence),
        _field(record, "title"),
    )


def _read_jsonl(path: Path, defaults: Defaults) -> Iterator[Document]:
    with os.fdopen(_open(path), "rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            try:
                yield _parse_line(line, defaults)
            except InputError as error:
                raise _at(error, f"{_shown(path)}:{number}") from error


def _at(error: InputError, place: str) -> InputError:
    return InputError(f"{place}: {error.sentence}", value=error.value, code=error.code)


def read_documents(path: Path, defaults: Defaults) -> Iterator[Document]:
    """Reads every document at `path`; an error names the file, and the line of a JSONL file.

    Args:
        path: a file, or a folder whose tree is read in sorted order.
        defaults: for text and Markdown, and for JSONL lines that state no owner or licence.

    Raises:
        InputError: as `find_files` and `make_document`, or `unreadable`, `not_utf8`, `not_json`,
            `duplicate_key`, `bad_field`, `line_too_long`.
    """
    for file in find_files(path):
        read = _read_jsonl if file.suffix.lower() in JSONL_SUFFIXES else _read_text
        yield from read(file, defaults)


def read_all(paths: list[Path], defaults: Defaults) -> list[Document]:
    """Reads every document at every path, all or nothing.

    Raises:
        InputError: as `read_documents`, or `too_many_documents`, `too_many_bytes`.
    """
    documents: list[Document] = []
    size = 0
    for path in paths:
        for document in read_documents(path, defaults):
            documents.append(document)
            size += len(document.data)
            check_totals(len(documents), size)
    return documents


def check_totals(documents: int, size: int) -> None:
    """Holds a datanet to its limits.

    Args:
        documents: how many.
        size: bytes of their texts together.

    Raises:
        InputError: `too_many_documents`, `too_many_bytes`.
    """
    if documents > DATANET_DOCUMENTS_MAX:
        raise InputError(
            f"A datanet has at most {DATANET_DOCUMENTS_MAX:,} documents; make a second one.",
            code="too_many_documents",
        )
    if size > DATANET_BYTES_MAX:
        raise InputError(
            f"The texts of a datanet have at most {DATANET_BYTES_MAX:,} bytes; make a second one.",
            code="too_many_bytes",
        )
