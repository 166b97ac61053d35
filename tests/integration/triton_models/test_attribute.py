import hashlib
import json
from pathlib import Path

import pytest

from distributary.attribution.index import build_index
from distributary.attribution.weights import WHOLE
from distributary.stack.local import LocalStack
from tests.integration.triton_models.calls import Calls
from tests.servers import unique

TEXTS = [
    "A distributary is a stream that branches away from the main river channel.",
    "The mill pond powers an old grinding wheel beside the village church all year.",
    "Harbour lights guide tired sailors home through winter fog and sudden squalls at sea.",
    "東京は日本の首都です。",
]
DOCUMENTS = [(hashlib.sha256(text.encode()).hexdigest(), text) for text in TEXTS]
MANIFEST = "0" * 64


@pytest.fixture
def datanet(session_stack: LocalStack, triton_python: Path, calls: Calls) -> tuple[str, Path]:
    """A datanet's name, and the folder of its index."""
    name = unique("attribute")
    folder = session_stack.settings.lake_path / "datanets" / name / "indexes" / MANIFEST
    folder.mkdir(parents=True)
    build_index(triton_python, DOCUMENTS, folder / "attribution", MANIFEST)
    return name, folder / "attribution"


def item(answer: str, shown: list[int], datanet: str, manifest: str = MANIFEST) -> dict[str, bytes]:
    passages = [{"document": DOCUMENTS[n][0], "text": DOCUMENTS[n][1]} for n in shown]
    return {
        "ITEM": b"",
        "ANSWER": answer.encode(),
        "QUESTION": b"What is it?",
        "PASSAGES": json.dumps(passages).encode(),
        "DATANET": datanet.encode(),
        "MANIFEST": manifest.encode(),
    }


def attribute(calls: Calls, *items: dict[str, bytes]) -> list[tuple[dict, bytes]]:
    asked = {name: [i[name] for i in items] for name in items[0]}
    asked["ITEM"] = [b"%d" % number for number in range(len(items))]
    made = calls.call("attribute", asked)
    assert made["ITEM"] == asked["ITEM"]
    weights = [json.loads(data) if data else {} for data in made["WEIGHTS"]]
    return list(zip(weights, made["ERROR"], strict=True))


def test_attribute__batch__weighs_each_item_by_the_index(calls: Calls, datanet) -> None:
    name, _ = datanet
    river, _, light, tokyo = (document for document, _ in DOCUMENTS)
    made = attribute(
        calls,
        item("branches away from the main river", [0, 1], name),
        item(" ".join(TEXTS[2].split()[:9]), [0, 1], name),
        item("", [0, 1], name),
        item("東京です", [3], name),
        item("river " * 16_000, [0], name),
    )
    assert [error for _, error in made] == [b""] * 5
    assert all(m["commons"] + sum(w for _, w in m["weights"]) == WHOLE for m, _ in made)
    earning = [[document for document, _ in m["weights"]] for m, _ in made]
    assert earning == [[river], [light], [], [tokyo], [river]]
    assert {m["method"] for m, _ in made} == {"spans-1"}


def test_attribute__manifest_without_index__only_that_item_is_unavailable(
    calls: Calls, datanet
) -> None:
    name, _ = datanet
    good, bad = attribute(calls, item("river", [0], name), item("river", [0], name, "1" * 64))
    assert good[1] == b""
    assert bad[1].startswith(b"index_unavailable: ")


def test_attribute__manifest_built_while_triton_runs__is_used(
    calls: Calls, datanet, triton_python: Path
) -> None:
    name, folder = datanet
    manifest = "2" * 64
    later = folder.parents[1] / manifest
    (_, error), = attribute(calls, item("river", [0], name, manifest))  # fmt: skip
    assert error.startswith(b"index_unavailable: ")
    later.mkdir()
    build_index(triton_python, DOCUMENTS[:1], later / "attribution", manifest)
    (made, error), = attribute(calls, item("river", [0], name, manifest))  # fmt: skip
    assert error == b""
    assert made["weights"]


@pytest.mark.parametrize("file", ["table.0", "tokenized.0", "documents.json", "index.json"])
def test_attribute__damaged_index__is_unavailable(calls: Calls, datanet, file: str) -> None:
    name, folder = datanet
    path = folder / file
    path.write_bytes(path.read_bytes()[:-2] + b"\x00\x00")
    (_, error), = attribute(calls, item("river", [0], name))  # fmt: skip
    assert error.startswith(b"index_unavailable: ")
