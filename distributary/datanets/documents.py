"""A document, the words that describe it, and what each of them may look like."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from distributary.canonical import sha256_hex
from distributary.errors import InputError

DOCUMENT_BYTES_MAX = 262_144
"""As large as a whole request may be: a longer text could never be shown to a model."""

DATANET_DOCUMENTS_MAX = 200_000
"""Documents of one datanet; its indexes are built in memory."""

DATANET_BYTES_MAX = 1 << 28
"""Texts of one datanet together; building the indexes takes some ten times that in memory."""

LABEL_CHARACTERS_MAX = 200
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_DOCUMENT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Document:
    """A text with its owner and licence; `title` is for display and "" where there is none."""

    text: str
    owner: str
    licence: str
    title: str = ""

    @cached_property
    def data(self) -> bytes:
        """The UTF-8 bytes of the text."""
        return self.text.encode("utf-8")

    @cached_property
    def hash(self) -> str:
        """What names the document: SHA-256 of its UTF-8 bytes, in hex."""
        return sha256_hex(self.data)


def parse_datanet_name(text: str) -> str:
    """Returns the name of a datanet.

    Raises:
        InputError: `bad_datanet_name`: not 1 to 63 of a-z, 0-9 and `-`.
    """
    if not _NAME.fullmatch(text):
        raise InputError(
            "A datanet's name is 1 to 63 of a-z, 0-9 and '-'.",
            value=text[:100],
            code="bad_datanet_name",
        )
    return text


def parse_document_hash(text: str) -> str:
    """Returns a document hash.

    Raises:
        InputError: `bad_document`: not 64 lower-case hex digits.
    """
    if not _DOCUMENT.fullmatch(text):
        raise InputError(
            "A document is named by 64 lower-case hex digits.",
            value=text[:100],
            code="bad_document",
        )
    return text


def _parse_label(text: str, what: str, code: str) -> str:
    label = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(label) <= LABEL_CHARACTERS_MAX or not label.isprintable():
        raise InputError(
            f"{what} is 1 to {LABEL_CHARACTERS_MAX} printable characters on one line.",
            value=text[: LABEL_CHARACTERS_MAX + 1],
            code=code,
        )
    return label


def parse_owner_label(text: str) -> str:
    """Returns an owner's label in Unicode NFC, without blanks around it.

    Labels are the names of real authors in any script; invisible characters, with which one name
    could be made to look like another, are not printable and so refused.

    Raises:
        InputError: `bad_owner`: not 1 to 200 printable characters.
    """
    return _parse_label(text, "An owner's label", "bad_owner")


def parse_licence(text: str) -> str:
    """Returns a licence, best an SPDX expression, in Unicode NFC.

    Raises:
        InputError: `bad_licence`: not 1 to 200 printable characters.
    """
    return _parse_label(text, "A licence", "bad_licence")


def parse_title(text: str) -> str:
    """Returns a title in Unicode NFC.

    Raises:
        InputError: `bad_title`: not 1 to 200 printable characters.
    """
    return _parse_label(text, "A title", "bad_title")


def check_text(text: str) -> str:
    """Returns the text of a document.

    Raises:
        InputError: `empty_text`, `nul_in_text`, `document_too_large`, or `not_utf8` for a lone
            surrogate.
    """
    if not text.strip():
        raise InputError("The text is empty.", code="empty_text")
    if "\0" in text:
        raise InputError("The text has a NUL character.", code="nul_in_text")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InputError("The text is not valid Unicode.", code="not_utf8") from error
    if size > DOCUMENT_BYTES_MAX:
        raise document_too_large()
    return text


def document_too_large() -> InputError:
    """The error for a document over the limit."""
    return InputError(
        f"A document has at most {DOCUMENT_BYTES_MAX:,} bytes: cut it into parts.",
        code="document_too_large",
    )


def make_document(text: str, owner: str, licence: str, title: str = "") -> Document:
    """Returns a checked document.

    Raises:
        InputError: as the functions above.
    """
    return Document(
        check_text(text),
        parse_owner_label(owner),
        parse_licence(licence),
        parse_title(title) if title else "",
    )
