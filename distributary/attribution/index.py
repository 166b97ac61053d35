"""Building the index of a datanet's documents: infini-gram's suffix array over their words.

Layout of an index folder, the same bytes for the same documents:

    index.json       method, manifest hash, counts, and the SHA-256 of every other file
    documents.json   document hashes, sorted; a document's number is its place
    tokenized.0      0xff and the document's line of words (UTF-8), one document after the other
    offset.0         where each begins, 8 bytes little-endian
    table.0          where each suffix begins, sorted, as few bytes each as will do

The last three are infini-gram's format (`token_dtype u8`, version 4). Its indexer is a program of
the wheel `infini-gram`, which only Triton's environment has, so `build_index` runs this module
there. It gets one part and one thread: with two, small corpora silently get a wrong order, which
`check_sorted` would find.
"""

import json
import os
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Final

from distributary.attribution.files import digest, pointer_bytes
from distributary.attribution.method import METHOD
from distributary.attribution.sorting import check_sorted
from distributary.attribution.spans import line, words
from distributary.errors import DistributaryError, InputError, UnavailableError

SEPARATOR: Final = b"\xff"
DOCUMENT_WORDS_MAX: Final = 1 << 20
INDEXED_BYTES_MAX: Final = 1 << 30  # the check of the order needs 17 bytes of memory a byte
_OVERLAP_BYTES: Final = 100_000  # infini-gram's own, between parts; there is one


def build_index(
    triton_python: Path, documents: Iterable[tuple[str, str]], out: Path, manifest_hash: str
) -> None:
    """Builds the index of (document hash, text) pairs into `out`, which must not exist.

    Args:
        triton_python: the Python of Triton's environment.
        documents: in any order; the same set gives the same bytes.
        out: an index folder; whoever calls makes it durable.
        manifest_hash: written into `index.json`.

    Raises:
        UnavailableError: Triton's environment is not there.
        DistributaryError: `index_failed`, with the end of what the builder said.
    """
    if not triton_python.exists():
        raise UnavailableError(
            "Triton's environment is not there: run `distributary up`.", value=str(triton_python)
        )
    with tempfile.TemporaryDirectory(prefix="distributary-index-") as temporary:
        folder = Path(temporary)
        given = folder / "documents.jsonl"
        with given.open("w") as stream:
            stream.writelines(json.dumps(pair) + "\n" for pair in documents)
        # Only this package may come from our environment: its numpy does not fit Triton's.
        (folder / "path").mkdir()
        (folder / "path" / "distributary").symlink_to(Path(__file__).parents[1])
        _run(
            [triton_python, "-m", __name__, given, out.absolute(), manifest_hash],
            os.environ | {"PYTHONPATH": str(folder / "path"), "PYTHONDONTWRITEBYTECODE": "1"},
        )


def write_index(documents: Sequence[tuple[str, str]], out: Path, manifest_hash: str) -> None:
    """Builds an index in this process, which must have infini-gram.

    Raises:
        InputError: a document comes twice, or they are too long together.
        DistributaryError: `index_failed`: the indexer failed, or its order is wrong.
    """
    ordered = sorted(documents)
    hashes = [document for document, _ in ordered]
    if len(set(hashes)) != len(hashes):
        raise InputError("A document comes twice.")
    out.mkdir(parents=True)
    offsets = array("Q")
    with (out / "tokenized.0").open("wb") as stream:
        for _, text in ordered:
            offsets.append(stream.tell())
            stream.write(SEPARATOR + line(words(text, DOCUMENT_WORDS_MAX)).encode())
        size = stream.tell()
    if size > INDEXED_BYTES_MAX:
        raise InputError("The documents are too long together.", value=size)
    (out / "offset.0").write_bytes(offsets.tobytes())
    (out / "documents.json").write_text(json.dumps(hashes))
    _write_table(out / "tokenized.0", out / "table.0", size)
    check_sorted(out / "tokenized.0", out / "table.0")
    described = {
        "documents": len(hashes),
        "files": {path.name: digest(path) for path in sorted(out.iterdir())},
        "manifest": manifest_hash,
        "method": METHOD,
    }
    (out / "index.json").write_text(json.dumps(described, sort_keys=True))


def _write_table(data: Path, table: Path, size: int) -> None:
    if size == 0:
        table.write_bytes(b"")
        return
    spec = find_spec("infini_gram")
    if spec is None or spec.origin is None:
        raise UnavailableError("infini-gram is not installed in this environment.")
    program = Path(spec.origin).with_name("rust_indexing")

    def index(step: str, **options: object) -> None:
        options |= {"data_file": data, "ratio": pointer_bytes(size), "token_width": 1}
        named = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items()]
        _run([program, step, *chain.from_iterable(named)])

    with tempfile.TemporaryDirectory(dir=table.parent) as temporary:
        parts, merged = Path(temporary, "parts"), Path(temporary, "merged")
        parts.mkdir()
        merged.mkdir()
        index("make-part", parts_dir=parts, start_byte=0, end_byte=size)
        index("merge", parts_dir=parts, merged_dir=merged, num_threads=1, hacksize=_OVERLAP_BYTES)
        index("concat", merged_dir=merged, merged_file=table, num_threads=1)


def _run(command: Sequence[str | Path], environ: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DistributaryError(
            f"Building the attribution index failed: {(done.stderr or done.stdout)[-500:].strip()}",
            code="index_failed",
        )


def _main() -> None:
    given, out, manifest_hash = sys.argv[1:]
    with Path(given).open() as stream:
        documents = [(document, text) for document, text in map(json.loads, stream)]
    write_index(documents, Path(out), manifest_hash)


if __name__ == "__main__":
    _main()
