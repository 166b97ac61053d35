import hashlib
import json
from pathlib import Path

import pytest

from distributary.datanets.manifests import (
    Entry,
    datanet_folder,
    drop_pointer,
    make_manifest,
    manifest_path,
    read_manifest,
    read_pointer,
    swap_pointer,
    write_manifest,
)
from distributary.errors import DistributaryError, InputError

FIRST = Entry("1" * 64, "author", "MIT", 5)
SECOND = Entry("2" * 64, "Łukasz", "CC0-1.0", 7)


def test_make_manifest__any_order__same_hash() -> None:
    assert make_manifest("a", [SECOND, FIRST]).hash == make_manifest("a", [FIRST, SECOND]).hash


def test_make_manifest__other_name_owner_or_licence__other_hash() -> None:
    hashes = {
        make_manifest("a", [FIRST]).hash,
        make_manifest("b", [FIRST]).hash,
        make_manifest("a", [FIRST._replace(owner="somebody else")]).hash,
        make_manifest("a", [FIRST._replace(licence="GPL-3.0-only")]).hash,
        make_manifest("a", []).hash,
    }
    assert len(hashes) == 5


def test_write_manifest__file__is_canonical_and_named_by_its_hash(tmp_path: Path) -> None:
    manifest = make_manifest("a", [FIRST, SECOND])
    write_manifest(tmp_path, manifest)
    data = manifest_path(tmp_path, "a", manifest.hash).read_bytes()
    assert hashlib.sha256(data).hexdigest() == manifest.hash
    assert json.loads(data) == {
        "format": 1,
        "name": "a",
        "documents": [FIRST._asdict(), SECOND._asdict()],
    }
    assert read_manifest(tmp_path, "a", manifest.hash) == manifest


def test_read_manifest__damaged__refused(tmp_path: Path) -> None:
    manifest = make_manifest("a", [FIRST])
    write_manifest(tmp_path, manifest)
    manifest_path(tmp_path, "a", manifest.hash).write_bytes(
        manifest.data.replace(b"author", b"thief ")
    )
    with pytest.raises(DistributaryError) as caught:
        read_manifest(tmp_path, "a", manifest.hash)
    assert caught.value.code == "manifest_damaged"


def test_read_manifest__unknown__refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_manifest(tmp_path, "a", "0" * 64)
    assert caught.value.code == "unknown_manifest"


@pytest.mark.parametrize("manifest", ["../../../etc/passwd", "", "0" * 63, "G" * 64])
def test_read_manifest__no_hash__refused(tmp_path: Path, manifest: str) -> None:
    with pytest.raises(InputError):
        read_manifest(tmp_path, "a", manifest)


def test_datanet_folder__path_as_name__refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        datanet_folder(tmp_path, "../outside")


def test_pointer__swapped_and_dropped__names_the_state_then_none(tmp_path: Path) -> None:
    assert read_pointer(tmp_path, "a") is None
    swap_pointer(tmp_path, "a", "1" * 64)
    swap_pointer(tmp_path, "a", "2" * 64)
    assert read_pointer(tmp_path, "a") == "2" * 64
    drop_pointer(tmp_path, "a")
    drop_pointer(tmp_path, "a")
    assert read_pointer(tmp_path, "a") is None
