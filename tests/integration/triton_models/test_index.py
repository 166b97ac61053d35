import json
import subprocess
from pathlib import Path

import pytest

from distributary.attribution.index import build_index
from distributary.attribution.reader import Index
from distributary.errors import DistributaryError
from tests.unit.attribution.conftest import plain_table

MANIFEST = "0" * 64
SOME = [(f"{n:064x}", f"document {n} speaks of river {n % 7} and the mill") for n in range(300)]


@pytest.mark.parametrize(
    "documents",
    [SOME, [], [("a" * 64, "")], [("a" * 64, "one")], [("a" * 64, "水 é 🎉 same same same")]],
    ids=["many", "none", "an empty one", "one word", "other scripts"],
)
def test_build_index__documents__is_what_the_plainest_sort_gives(
    triton_python: Path, tmp_path: Path, documents: list[tuple[str, str]]
) -> None:
    folder = tmp_path / "a folder with spaces"
    build_index(triton_python, documents, folder, MANIFEST)
    data = folder / "tokenized.0"
    plain_table(data, tmp_path / "plain", data.stat().st_size)
    assert (folder / "table.0").read_bytes() == (tmp_path / "plain").read_bytes()
    assert Index.open(folder, MANIFEST).documents_count == len(documents)


def test_build_index__any_order__same_bytes(triton_python: Path, tmp_path: Path) -> None:
    for name, documents in (("one", SOME), ("two", SOME[::-1])):
        build_index(triton_python, documents, tmp_path / name, MANIFEST)
    described = [(tmp_path / name / "index.json").read_bytes() for name in ("one", "two")]
    assert described[0] == described[1]
    assert json.loads(described[0])["documents"] == len(SOME)


def test_build_index__folder_exists__fails_and_leaves_it(
    triton_python: Path, tmp_path: Path
) -> None:
    with pytest.raises(DistributaryError, match="FileExistsError"):
        build_index(triton_python, SOME, tmp_path, MANIFEST)
    assert not list(tmp_path.iterdir())


def test_build_index__trusted_code_imports__need_only_tritons_environment(
    triton_python: Path,
) -> None:
    modules = "distributary.attribution.items, distributary.attribution.index, distributary.models"
    root = Path(__file__).parents[3]
    subprocess.run([triton_python, "-c", f"import {modules}"], cwd=root, check=True)
