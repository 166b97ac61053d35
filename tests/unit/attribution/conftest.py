from collections.abc import Callable
from pathlib import Path

import pytest

from distributary.attribution import index
from distributary.attribution.files import pointer_bytes

MANIFEST = "0" * 64


def plain_table(data: Path, table: Path, size: int) -> None:
    """What infini-gram's indexer writes, by the plainest sort."""
    text = data.read_bytes()
    order = sorted(range(size), key=lambda place: text[place:])
    width = pointer_bytes(size) if size else 1
    table.write_bytes(b"".join(place.to_bytes(width, "little") for place in order))


@pytest.fixture
def make_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[tuple[str, str]]], Path]:
    """`make_index(documents)`: an index folder of manifest 000…, without infini-gram."""
    monkeypatch.setattr(index, "_write_table", plain_table)

    def make(documents: list[tuple[str, str]], name: str = "index") -> Path:
        index.write_index(documents, tmp_path / name, MANIFEST)
        return tmp_path / name

    return make
