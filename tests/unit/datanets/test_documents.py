import hashlib
from collections.abc import Callable

import pytest

from distributary.datanets.documents import (
    DOCUMENT_BYTES_MAX,
    check_text,
    make_document,
    parse_datanet_name,
    parse_licence,
    parse_owner_label,
    parse_title,
)
from distributary.errors import InputError


def code_of(function: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return caught.value.code


@pytest.mark.parametrize("name", ["a", "papers-2026", "-", "0" * 63])
def test_parse_datanet_name__allowed__returned(name: str) -> None:
    assert parse_datanet_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "A", "a_b", "a.b", "..", "a/b", "a" * 64, "a\n", "ä", "a b", "a\0"]
)
def test_parse_datanet_name__anything_else__refused(name: str) -> None:
    assert code_of(parse_datanet_name, name) == "bad_datanet_name"


@pytest.mark.parametrize(
    "label", ["A. Author", "Łukasz Ørsted", "李 明", "Hugging Face, Inc.", "o" * 200, "[bold]x"]
)
def test_parse_owner_label__real_names__returned(label: str) -> None:
    assert parse_owner_label(label) == label


@pytest.mark.parametrize(
    "label", ["", "  ", "o" * 201, "two\nlines", "tab\there", "zero\u200bwidth", "\u202eback", "\0"]
)
def test_parse_owner_label__empty_long_or_invisible__refused(label: str) -> None:
    assert code_of(parse_owner_label, label) == "bad_owner"


def test_parse_owner_label__decomposed__composed() -> None:
    assert parse_owner_label(" e\u0301 ") == "\u00e9"


def test_parse_licence_and_title__two_lines__refused() -> None:
    assert code_of(parse_licence, "MIT\nor so") == "bad_licence"
    assert code_of(parse_title, "a\nb") == "bad_title"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_text"),
        (" \n\t", "empty_text"),
        ("a\0b", "nul_in_text"),
        ("a\ud800b", "not_utf8"),
        ("a" * (DOCUMENT_BYTES_MAX + 1), "document_too_large"),
        ("ä" * (DOCUMENT_BYTES_MAX // 2 + 1), "document_too_large"),
    ],
)
def test_check_text__unusable__refused(text: str, code: str) -> None:
    assert code_of(check_text, text) == code


def test_check_text__at_the_limit__returned() -> None:
    assert len(check_text("a" * DOCUMENT_BYTES_MAX)) == DOCUMENT_BYTES_MAX


def test_document__hash__is_sha256_of_its_utf8_bytes() -> None:
    document = make_document("grün", "author", "MIT")
    assert document.hash == hashlib.sha256("grün".encode()).hexdigest()
