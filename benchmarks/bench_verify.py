"""What verifying one large epoch costs: hashes, charges, weights and root from Parquet alone.

    python -m benchmarks.bench_verify [--answers N] [--weights N] [--documents N] [--signed]

Makes a lake with one posting in a temporary folder, then verifies it in a fresh process: without
signatures, and with a sample and all of them where `--signed` is given. Prints JSON; times are of
this machine as loaded as it is, so CPU seconds, of all threads, stand beside them.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from distributary.attribution.weights import WHOLE
from distributary.identity import Identity
from distributary.lake.schema import ANSWERS
from distributary.requests import request_hash
from distributary.rewards.inputs import AccountFunds, Inputs
from distributary.rewards.manifest import SettlementManifest
from distributary.rewards.outputs import write_outputs
from distributary.rewards.reference import compute
from tests.postings import address, write_epoch, write_posting
from tests.signed_answers import ADMITTED_AT_MS, DOMAIN, MODEL, _in_force, charge_units

ACCOUNTS = 1_000
OWNERS = 5_000
PARTITIONS = 4
BODY_HASH = "b" * 64
NOTHING_SIGNED = "0" * 128
EXPIRES_AT = ADMITTED_AT_MS // 1000 + 3600
CHILD = """
import json, sys, time
from pathlib import Path
from distributary.rewards.manifest import load_manifest
from distributary.rewards.verify import verify
path, signatures = Path(sys.argv[1]), sys.argv[2]
began, cpu = time.perf_counter(), time.process_time()
report = verify(path.parents[2], load_manifest(path), signatures=signatures)
status = Path("/proc/self/status").read_text()
print(json.dumps({
    "seconds": round(time.perf_counter() - began, 2),
    "cpu_s": round(time.process_time() - cpu, 2),
    "imports_cpu_s": round(cpu, 2),
    "peak_mb": int(status.split("VmHWM:")[1].split()[0]) // 1024,
    "ok": report.ok,
    "root": report.root,
}))
"""


def documents(count: int) -> list[str]:
    """Hashes of documents, in order."""
    return sorted(hashlib.sha256(b"%d" % number).hexdigest() for number in range(count))


def sign_with(signed: bool) -> tuple[str, Any]:
    """A session key in hex, and what signs a request hash with it."""
    if not signed:
        return "c" * 64, lambda _: NOTHING_SIGNED
    from nacl.signing import SigningKey

    key = SigningKey(b"k" * 32)
    return bytes(key.verify_key).hex(), lambda hash_: key.sign(bytes.fromhex(hash_)).signature.hex()


def answers(partition: int, given: argparse.Namespace, known: pa.Array) -> pa.Table:
    """The rows of one partition: one customer in a thousand, some documents of all."""
    rows = given.answers // PARTITIONS
    random = np.random.default_rng(partition)
    key, sign = sign_with(given.signed)
    accounts = [address(1 + number) for number in random.integers(0, ACCOUNTS, rows)]
    tokens = random.integers(1, 1_000, (rows, 2)).tolist()
    charges = [charge_units(*each) if rows < 10_000 else _charge(*each) for each in tokens]
    identities = [Identity(a, "bench", f"{partition}-{i}") for i, a in enumerate(accounts)]
    hashes = [request_hash(DOMAIN, i, BODY_HASH, "1" + "0" * 18, EXPIRES_AT) for i in identities]
    columns: dict[str, Any] = {
        "topic_id": "answers-topic",
        "partition": partition,
        "answer_offset": list(range(rows)),
        "answered_at_ms": ADMITTED_AT_MS,
        "status": "executed",
        "outcome": "charged",
        "charge_units": [str(units) for units in charges],
        "stated_charge_units": [str(units) for units in charges],
        "max_charge_units": "1" + "0" * 18,
        "expires_at": EXPIRES_AT,
        "request_topic_id": "requests-topic",
        "request_partition": partition,
        "request_offset": list(range(rows)),
        "admitted_at_ms": ADMITTED_AT_MS,
        "account": accounts,
        "source": "bench",
        "id": [each.id for each in identities],
        "request_hash": hashes,
        "body_hash": BODY_HASH,
        "key": key,
        "signature": [sign(hash_) for hash_ in hashes],
        "model": MODEL,
        "model_version": "1",
        "node": "local",
        "prompt_tokens": [each[0] for each in tokens],
        "answer_tokens": [each[1] for each in tokens],
        "price_hash": _in_force("prices"),
        "split_hash": _in_force("splits"),
        "datanet": "net",
        "manifest_hash": "d" * 64,
        "method": "spans-1",
    }
    lists = weights(rows, given.weights, known, random)
    arrays = [_array(field, columns.get(field.name), rows, lists) for field in ANSWERS]
    return pa.Table.from_arrays(arrays, schema=ANSWERS)


def _charge(prompt_tokens: int, answer_tokens: int) -> int:
    """As the price file of the tests has it, without looking it up a million times."""
    return -(-(prompt_tokens * 2 * 10**15 + answer_tokens * 6 * 10**15) // 1000)


def weights(
    rows: int, each: int, known: pa.Array, random: np.random.Generator
) -> dict[str, pa.Array]:
    """Weights of every answer over `each` documents, and what is left as commons."""
    parts = random.integers(1, WHOLE // each, (rows, each))
    first = random.integers(0, len(known) - each * 7, rows)
    steps = random.permuted(np.tile(np.arange(each * 7), (rows, 1)), axis=1)[:, :each]
    places = np.sort(first[:, None] + steps, axis=1)
    offsets = pa.array(np.arange(0, rows * each + 1, each, dtype=np.int32))
    return {
        "documents": pa.ListArray.from_arrays(offsets, known.take(pa.array(places.ravel()))),
        "weights": pa.ListArray.from_arrays(offsets, pa.array(parts.ravel())),
        "commons": pa.array(WHOLE - parts.sum(axis=1)),
    }


def _array(field: pa.Field, value: Any, rows: int, lists: dict[str, pa.Array]) -> pa.Array:
    if field.name in lists:
        return lists[field.name].cast(field.type)
    if isinstance(value, list):
        return pa.array(value, field.type)
    return pa.repeat(pa.scalar(value, field.type), rows)


def make_posting(lake: Path, given: argparse.Namespace) -> SettlementManifest:
    """One epoch of many answers, and a posting over it with its outputs."""
    known = documents(given.documents)
    array = pa.array(known)
    partitions = [answers(partition, given, array) for partition in range(PARTITIONS)]
    epoch = write_epoch(lake, 1, partitions)
    del partitions
    inputs = Inputs(
        accounts={address(1 + n): AccountFunds(10**24, 0) for n in range(ACCOUNTS)},
        assets={("data", hash_): f"owner{n % OWNERS}" for n, hash_ in enumerate(known)}
        | {("model", MODEL): "owner0", ("node", "local"): "owner1"},
        bindings={f"owner{n}": address(10_000 + n) for n in range(OWNERS)},
    )
    return write_posting(lake, [epoch], inputs)


def measured(path: Path, ways: list[str]) -> Iterator[tuple[str, Any]]:
    """Verifies in a fresh process, once for each way of treating signatures."""
    for signatures in ways:
        found = subprocess.run(
            [sys.executable, "-c", CHILD, str(path), signatures],
            check=True,
            capture_output=True,
            text=True,
        )
        yield f"signatures_{signatures}", json.loads(found.stdout)


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--weights", type=int, default=8, help="Documents of each answer.")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--signed", action="store_true")
    parser.add_argument("--lake", type=Path, help="Keep the lake here, or use the one kept.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        lake = given.lake or Path(temporary)
        path = lake / "settlements" / "00000001-00000001-1" / "settlement-manifest.json"
        if not path.exists():
            manifest = make_posting(lake, given)
            write_outputs(lake / manifest.folder, compute(lake, manifest))
        ways = ["none", "sample", "all"] if given.signed else ["none"]
        size = {"answers": given.answers, "weights": given.answers * given.weights}
        machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
        print(json.dumps(size | machine | dict(measured(path, ways)), indent=2))


if __name__ == "__main__":
    main()
