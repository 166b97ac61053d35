import json
from array import array
from pathlib import Path

import pytest

from distributary.attribution.items import attribute_item
from distributary.attribution.reader import Index, Indexes

DOCUMENT = "a" * 64
PASSAGES = json.dumps([{"document": DOCUMENT, "text": "green valley"}]).encode()
MANIFEST = b"0" * 64


class OneIndex(Indexes):
    def get(self, datanet: str, manifest_hash: str) -> Index:
        if datanet == "here":
            return Index(b"", b"", array("Q"), [])
        return super().get(datanet, manifest_hash)


@pytest.fixture
def indexes(tmp_path: Path) -> Indexes:
    return OneIndex(tmp_path)


def test_attribute_item__good_item__gives_sorted_weights(indexes: Indexes) -> None:
    weights, error = attribute_item(indexes, b"valley", b"", PASSAGES, b"here", MANIFEST)
    assert error == b""
    assert json.loads(weights) == {"commons": 10**9, "method": "spans-1", "weights": []}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"answer": b"\xff"}, b"bad_item: "),
        ({"question": b"\xff"}, b"bad_item: "),
        ({"passages": b"{}}"}, b"bad_item: "),
        ({"passages": b"[1]"}, b"bad_item: "),
        ({"passages": b'[{"document": "x"}]'}, b"bad_item: "),
        ({"passages": b'[{"document": "x", "text": "\\ud800"}]'}, b"bad_item: "),
        ({"passages": b"[" * 100_000}, b"bad_item: "),
        ({"datanet": b"elsewhere"}, b"index_unavailable: "),
        ({"datanet": b"../here"}, b"index_unavailable: "),
        ({"datanet": b""}, b"index_unavailable: "),
        ({"datanet": b"elsewhere", "manifest": b"../x"}, b"index_unavailable: "),
    ],
)
def test_attribute_item__bad_item__gives_an_error_with_its_code(
    indexes: Indexes, change: dict[str, bytes], code: bytes
) -> None:
    item = {
        "answer": b"valley", "question": b"", "passages": PASSAGES, "datanet": b"here",
        "manifest": MANIFEST,
    } | change  # fmt: skip
    weights, error = attribute_item(indexes, **item)
    assert weights == b""
    assert error.startswith(code)
