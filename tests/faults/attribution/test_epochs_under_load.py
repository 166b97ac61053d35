"""Epochs closed while the job commits: nothing is lost between them, nothing counted twice."""

import hashlib
import json

import pyarrow.parquet as pq

from distributary.epochs import Closer
from distributary.lake.files import epoch_folder, manifest_path
from distributary.store import connect
from tests.faults.stream import Stream, count_independently, until
from tests.signed_answers import DOMAIN, Customer

GOOD = 300


def close(stream: Stream) -> int:
    """Closes the open epoch as `distributary epoch close` does."""
    with connect(stream.dsn, autocommit=True) as connection:
        return Closer(stream.lake, DOMAIN).close(connection)


def test_epochs__closed_while_the_job_commits__divide_the_answers_without_a_gap(
    stream: Stream,
) -> None:
    customer = Customer()
    stream.register(customer)
    job = stream.start_job()
    good = []
    for turn in range(3):
        numbers = range(turn * GOOD, (turn + 1) * GOOD)
        made = [stream.answer(customer, number) for number in numbers]
        before = stream.committed()
        stream.produce([*made, *made[:20]])
        good += made
        until(lambda before=before: stream.committed() > before)
        close(stream)
    stream.wait_until_committed()
    last = close(stream)
    job.terminate()

    assert job.wait(60) == 0
    count_independently(stream, good)
    manifests = [json.loads(manifest_path(stream.lake, n).read_bytes()) for n in range(1, last + 1)]
    at = dict.fromkeys(range(stream.settings.partitions), 0)
    hashes: list[str] = []
    for manifest in manifests:
        for given in manifest["ranges"]:
            assert given["from_offset"] == at[given["partition"]]
            at[given["partition"]] = given["to_offset"]
        for file in manifest["files"]:
            path = epoch_folder(stream.lake, manifest["epoch"]) / file["name"]
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
            table = pq.read_table(path, partitioning=None)
            charged = [row for row in table.to_pylist() if row["outcome"] == "charged"]
            hashes += [row["request_hash"] for row in charged]
    assert at == stream.highs()
    assert sorted(hashes) == sorted(answer.request_hash for answer in good)
    assert sum(manifest["counts"]["duplicate"] for manifest in manifests) == 3 * 20
