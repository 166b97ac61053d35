import json
import os
from pathlib import Path

import pytest

from distributary.datanets import reading
from distributary.datanets.documents import DOCUMENT_BYTES_MAX
from distributary.datanets.reading import LINE_BYTES_MAX, Defaults, find_files, read_all
from distributary.errors import InputError

GIVEN = Defaults("author", "MIT")


def refusal(paths: list[Path], defaults: Defaults = GIVEN) -> InputError:
    with pytest.raises(InputError) as caught:
        read_all(paths, defaults)
    return caught.value


def write_lines(path: Path, *records: dict[str, str] | bytes) -> Path:
    lines = [
        record if isinstance(record, bytes) else json.dumps(record).encode() for record in records
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_read_all__text_and_markdown_in_a_tree__documents_in_sorted_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.MD").write_text("# one")
    (tmp_path / "a.txt").write_text("two")
    (tmp_path / "ignored.pdf").write_bytes(b"\0\xff")
    (tmp_path / ".hidden.txt").write_bytes(b"\0\xff")
    documents = read_all([tmp_path], GIVEN)
    assert [(d.text, d.title, d.owner, d.licence) for d in documents] == [
        ("two", "a.txt", "author", "MIT"),
        ("# one", "one.MD", "author", "MIT"),
    ]


def test_read_all__jsonl__fields_of_the_line_win_over_the_options(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "d.jsonl",
        {"text": "one"},
        b"",
        {"text": "two", "owner": "contributor", "licence": "CC0-1.0", "title": "Two"},
    )
    documents = read_all([path], GIVEN)
    assert [(d.text, d.owner, d.licence, d.title) for d in documents] == [
        ("one", "author", "MIT", ""),
        ("two", "contributor", "CC0-1.0", "Two"),
    ]


def test_read_all__byte_order_mark__not_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbftext")
    path = tmp_path / "b.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "line"}\n')
    assert [d.text for d in read_all([tmp_path], GIVEN)] == ["text", "line"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_text"),
        (b"caf\xe9", "not_utf8"),
        (b"a\0b", "nul_in_text"),
        (b"a" * (DOCUMENT_BYTES_MAX + 1), "document_too_large"),
        ("ä".encode() * DOCUMENT_BYTES_MAX, "document_too_large"),
    ],
)
def test_read_all__bad_text_file__refused_by_name(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(data)
    error = refusal([tmp_path])
    assert error.code == code
    assert str(path) in str(error)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "not_json"),
        (b'{"text": NaN}', "not_json"),
        (b'{"text": "a", "text": "b"}', "duplicate_key"),
        (b'{"text": "caf\xe9"}', "not_utf8"),
        (b'{"text": "a\\ud800"}', "not_utf8"),
        (b'{"text": "a\\u0000b"}', "nul_in_text"),
        (b'{"text": ""}', "empty_text"),
        (b'{"text": 1}', "bad_field"),
        (b'{"text": "a", "owner": null}', "bad_field"),
        (b'{"text": "a", "owner": ""}', "no_owner"),
        (b'{"text": "a", "owner": "x\\ny"}', "bad_owner"),
        (b'{"text": "a", "licence": ["MIT"]}', "bad_field"),
        (b'{"text": "a", "license": "MIT"}', "bad_field"),
        (b'{"text": "a", "title": "x\\ny"}', "bad_title"),
        (b'{"owner": "a"}', "bad_field"),
        (b'["text"]', "bad_field"),
        (b"[" * 100_000, "not_json"),
        (b'{"text": "' + b"a" * DOCUMENT_BYTES_MAX + b'b"}', "document_too_large"),
        (b'{"text": "' + b"a" * LINE_BYTES_MAX + b'"}', "line_too_long"),
    ],
)
def test_read_all__bad_jsonl_line__refused_by_file_and_line(
    tmp_path: Path, line: bytes, code: str
) -> None:
    path = write_lines(tmp_path / "d.jsonl", {"text": "fine"}, line, {"text": "fine too"})
    error = refusal([path])
    assert error.code == code
    assert f"{path}:2:" in str(error)


@pytest.mark.parametrize(
    ("defaults", "code"),
    [(Defaults("", "MIT"), "no_owner"), (Defaults("author", ""), "no_licence")],
)
def test_read_all__no_owner_or_licence__refused(
    tmp_path: Path, defaults: Defaults, code: str
) -> None:
    (tmp_path / "a.txt").write_text("text")
    assert refusal([tmp_path], defaults).code == code


def test_find_files__symlink_as_path__refused(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("text")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with pytest.raises(InputError, match="Symlinks") as caught:
        find_files(tmp_path / "link.txt")
    assert caught.value.code == "symlink"


@pytest.mark.parametrize("target", ["secret.txt", "folder", "missing"])
def test_find_files__symlink_out_of_the_tree__refused(tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "secret.txt").write_text("secret")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside / target)
    error = refusal([tree])
    assert error.code == "symlink"
    assert str(tree / "link") in str(error)


def test_read_all__file_replaced_by_a_symlink_after_listing__refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")
    link = tmp_path / "a.txt"
    link.symlink_to(tmp_path / "secret")
    monkeypatch.setattr(reading, "find_files", lambda path: [link])
    assert refusal([tmp_path]).code == "unreadable"


def test_read_all__pipe__refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert refusal([tmp_path]).code == "unreadable"


@pytest.mark.parametrize(
    ("name", "code"),
    [("missing", "no_such_path"), ("a.pdf", "unknown_kind"), ("empty", "no_files")],
)
def test_find_files__nothing_to_read__refused(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "a.pdf").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        find_files(tmp_path / name)
    assert caught.value.code == code


def test_find_files__too_deep__refused(tmp_path: Path) -> None:
    (tmp_path / "/".join(["d"] * reading.DEPTH_MAX)).mkdir(parents=True)
    assert refusal([tmp_path]).code == "too_deep"


def test_read_all__name_with_control_characters__shown_escaped(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m.txt").write_bytes(b"\0")
    assert "\x1b" not in str(refusal([tmp_path]))


def test_read_all__too_many__refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "DATANET_DOCUMENTS_MAX", 2)
    path = write_lines(tmp_path / "d.jsonl", *({"text": f"text {n}"} for n in range(3)))
    assert refusal([path]).code == "too_many_documents"


def test_read_all__too_large_together__refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "DATANET_BYTES_MAX", 11)
    (tmp_path / "a.txt").write_text("123456")
    (tmp_path / "b.txt").write_text("123456")
    assert refusal([tmp_path]).code == "too_many_bytes"
