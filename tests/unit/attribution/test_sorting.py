from pathlib import Path

import pytest

from distributary.attribution.sorting import check_sorted
from distributary.errors import DistributaryError

TEXT = b"\xff banana \xff ban "


def order_of(text: bytes) -> list[int]:
    return sorted(range(len(text)), key=lambda place: text[place:])


def check(folder: Path, text: bytes, table: bytes) -> None:
    (folder / "text").write_bytes(text)
    (folder / "table").write_bytes(table)
    check_sorted(folder / "text", folder / "table")


@pytest.mark.parametrize("text", [b"", b"a", b"aaaa", TEXT, bytes(range(255))])
def test_check_sorted__suffix_array__passes(tmp_path: Path, text: bytes) -> None:
    check(tmp_path, text, bytes(order_of(text)))


def test_check_sorted__pointers_of_two_bytes__passes(tmp_path: Path) -> None:
    text = b"ab" * 200
    check(tmp_path, text, b"".join(p.to_bytes(2, "little") for p in order_of(text)))


@pytest.mark.parametrize("at", range(len(TEXT) - 1))
def test_check_sorted__any_two_neighbours_swapped__fails(tmp_path: Path, at: int) -> None:
    order = order_of(TEXT)
    order[at], order[at + 1] = order[at + 1], order[at]
    with pytest.raises(DistributaryError, match="out of order"):
        check(tmp_path, TEXT, bytes(order))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (bytes([*order_of(TEXT)[:-1], order_of(TEXT)[0]]), "missing"),
        (bytes([*order_of(TEXT)[:-1], 200]), "outside"),
        (bytes(order_of(TEXT)[:-1]), "bytes for"),
    ],
)
def test_check_sorted__not_every_suffix_once__fails(
    tmp_path: Path, table: bytes, reason: str
) -> None:
    with pytest.raises(DistributaryError, match=reason):
        check(tmp_path, TEXT, table)
