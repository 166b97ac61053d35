"""The texts of documents, each in one file named by its hash: LAKE/documents/<2 hex>/<hash>.txt."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distributary.canonical import sha256_hex
from distributary.datanets.documents import Document, parse_document_hash
from distributary.datanets.durable import make_folder, place, sync_folder
from distributary.errors import DistributaryError

WRITERS = 8
"""A disk joins the fsyncs that arrive together."""


def text_path(lake: Path, document: str) -> Path:
    """The file of a document's text."""
    return lake / "documents" / document[:2] / f"{document}.txt"


def _is_stored(path: Path, document: Document) -> bool:
    try:
        return path.read_bytes() == document.data
    except FileNotFoundError:
        return False


def write_texts(
    lake: Path, documents: Iterable[Document], on_written: Callable[[], object] = lambda: None
) -> None:
    """Stores texts durably; what is there whole is left alone.

    Args:
        lake: the lake folder.
        documents: what to store.
        on_written: called once for each document.
    """
    wanted = {document.hash: document for document in documents}
    folders = sorted({text_path(lake, hash_).parent for hash_ in wanted})
    for folder in folders:
        make_folder(folder)

    def store(document: Document) -> None:
        path = text_path(lake, document.hash)
        if not _is_stored(path, document):
            place(path, document.data)

    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(store, wanted.values()):
            on_written()
    for folder in folders:
        sync_folder(folder)


def read_text(lake: Path, document: str) -> str:
    """Reads one text without checking its hash: for the hot path.

    Raises:
        DistributaryError: `text_missing`, or `text_damaged`: no UTF-8.
    """
    path = text_path(lake, document)
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise DistributaryError(
            "The text of a document is missing: add its datanet again.",
            value=str(path),
            code="text_missing",
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> DistributaryError:
    return DistributaryError(
        "The text of a document is damaged: add its datanet again.",
        value=str(path),
        code="text_damaged",
    )


def read_texts(lake: Path, documents: Iterable[str]) -> dict[str, str]:
    """Reads texts by document hash and checks each against it.

    Raises:
        InputError: `bad_document`.
        DistributaryError: `text_missing`, `text_damaged`.
    """
    texts: dict[str, str] = {}
    for document in documents:
        text = read_text(lake, parse_document_hash(document))
        if sha256_hex(text.encode("utf-8")) != document:
            raise _damaged(text_path(lake, document))
        texts[document] = text
    return texts
