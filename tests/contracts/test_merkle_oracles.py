"""Our tree against two that share no code with it: `multiproof` and `@openzeppelin/merkle-tree`.

The contract is held to `multiproof` in boa/, so all four agree.
"""

import hashlib
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from multiproof import StandardMerkleTree

from distributary.merkle import LEAF_ENCODING, Value, build_tree, proof_holds
from distributary.settings import load_settings
from distributary.stack.files import build_once
from distributary.stack.node import find_npm

PACKAGE = Path(__file__).parent / "npm"
SIZES = (1, 2, 3, 4, 7, 8, 9, 33, 100)
UNITS_MAX = 2**256 - 1


def random_values(count: int, seed: int) -> list[Value]:
    """Leaves of both kinds, with the smallest and the largest units among them."""
    source = random.Random(seed)
    units = [0, UNITS_MAX, *(source.getrandbits(source.randrange(1, 256)) for _ in range(count))]
    return [
        (number % 2, "0x" + source.randbytes(20).hex(), units[number]) for number in range(count)
    ]


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Asks OpenZeppelin's library, fetched from npm by the hashes of its lock file."""
    lock = (PACKAGE / "package-lock.json").read_bytes()
    npm = find_npm()

    def install(scratch: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy2(PACKAGE / name, scratch)
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=300)

    cache = load_settings().cache.expanduser().resolve()
    folder = build_once(cache / f"merkle-oracle-{hashlib.sha256(lock).hexdigest()[:12]}", install)
    node = npm[0] if len(npm) > 1 else str(shutil.which("node"))
    scratch = tmp_path_factory.mktemp("oracle")

    def ask(values: list[Value]) -> Any:
        # The script must lie beside node_modules for its import to be found.
        script = scratch / "oracle.mjs"
        if not script.exists():
            shutil.copy2(PACKAGE / "oracle.mjs", script)
            (scratch / "node_modules").symlink_to(folder / "node_modules")
        path = scratch / "values.json"
        path.write_text(json.dumps([[str(kind), who, str(units)] for kind, who, units in values]))
        result = subprocess.run([node, str(script), str(path)], check=True, capture_output=True)
        return json.loads(result.stdout)

    return ask


@pytest.mark.timeout(400)
@pytest.mark.parametrize("count", SIZES)
def test_tree__of_random_leaves__is_openzeppelins_byte_for_byte(
    count: int, javascript: Any
) -> None:
    values = random_values(count, seed=count)
    theirs, ours = javascript(values), build_tree(values)
    assert ours.root == theirs["root"]
    assert b"".join(ours.dump()).decode() == theirs["dump"]
    assert [ours.proof(index) for index in range(count)] == theirs["proofs"]


@pytest.mark.parametrize("count", SIZES)
def test_tree__of_random_leaves__is_that_of_multiproof(count: int) -> None:
    values = random_values(count, seed=1_000 + count)
    theirs, ours = StandardMerkleTree.of(values, list(LEAF_ENCODING)), build_tree(values)
    assert ours.root == theirs.root
    assert [ours.proof(i) for i in range(count)] == [theirs.get_proof(i) for i in range(count)]


@pytest.mark.parametrize("count", SIZES)
def test_proof__of_multiproof__holds_by_our_rule_and_for_its_leaf_alone(count: int) -> None:
    values = random_values(count, seed=2_000 + count)
    tree = StandardMerkleTree.of(values, list(LEAF_ENCODING))
    for index, (kind, who, units) in enumerate(values):
        proof = tree.get_proof(index)
        assert proof_holds(tree.root, (kind, who, units), proof)
        assert not proof_holds(tree.root, (1 - kind, who, units), proof)
        assert not proof_holds(tree.root, (kind, who, units ^ 1), proof)
