"""The Merkle tree against `multiproof`, an independent implementation of OpenZeppelin's."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from multiproof import StandardMerkleTree

from distributary.errors import InputError
from distributary.merkle import LEAF_ENCODING, build_tree, leaf_hash, load_tree, proof_holds
from distributary.merkle_leaves import hash_rows_in_c, keccak
from distributary.merkle_nodes import make_nodes

# Made once with @openzeppelin/merkle-tree 1.0.8 under Node.
JAVASCRIPT_ROOT = "0xe556fa21fae561bad48a81843dbe53dd71338fde53aeeae150e43685a7e42ab6"


def values(count: int) -> list[tuple[int, str, int]]:
    return [(n % 2, f"0x{n * 7919:040x}", n**20) for n in range(1, count + 1)]


def of_multiproof(count: int) -> "StandardMerkleTree[list[object]]":
    return StandardMerkleTree.of([list(each) for each in values(count)], list(LEAF_ENCODING))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100])
def test_build_tree__of_any_size__is_the_one_of_multiproof(count: int) -> None:
    ours, theirs = build_tree(values(count)), of_multiproof(count)
    assert ours.root == theirs.root
    assert [list(p) for p in map(ours.proof, range(count))] == [
        theirs.get_proof(index) for index in range(count)
    ]
    assert ours.nodes == b"".join(theirs.tree)
    assert list(ours.places) == [each.tree_index for each in theirs.values]


def test_proofs__of_all_values__are_those_of_each_and_hold() -> None:
    tree = build_tree(values(33))
    for index, siblings in enumerate(tree.proofs()):
        proof = ["0x" + sibling.hex() for sibling in siblings]
        assert proof == tree.proof(index)
        assert proof_holds(tree.root, tree.values[index], proof)


def test_proof_holds__another_amount_kind_or_address__does_not() -> None:
    tree = build_tree(values(5))
    kind, address, units = tree.values[2]
    for other in (
        (1 - kind, address, units),
        (kind, address, units + 1),
        (kind, "0x" + "f" * 40, units),
    ):
        assert not proof_holds(tree.root, other, tree.proof(2))


def test_dump__written_and_read__is_the_same_tree_and_what_multiproof_reads() -> None:
    tree = build_tree(values(12))
    data = b"".join(tree.dump())
    assert load_tree(data) == tree
    parsed = json.loads(data)
    assert list(parsed) == ["format", "leafEncoding", "tree", "values"]
    assert parsed["values"][0]["value"] == ["1", values(1)[0][1], "1"]
    assert parsed["tree"] == ["0x" + n.hex() for n in of_multiproof(12).tree]


def damages(data: bytes) -> Iterator[bytes]:
    yield data[:-1]
    yield data.replace(b"standard-v1", b"standard-v2")
    yield data.replace(b'"uint8"', b'"uint9"')
    yield data.replace(b'"treeIndex":4', b'"treeIndex":5')
    yield data.replace(b'"0x0', b'"0x1', 1)
    yield data.replace(b'"1"]', b'"2"]', 1)
    yield data.replace(b'["1",', b'["-1",', 1)
    yield b'{"format":"standard-v1","leafEncoding":["uint8","address","uint256"]}'
    yield b"[]"


def test_load_tree__damaged__is_refused() -> None:
    data = b"".join(build_tree(values(3)).dump())
    for damaged in damages(data):
        if damaged != data:
            with pytest.raises(InputError):
                load_tree(damaged)


def test_build_tree__without_a_leaf__is_refused() -> None:
    with pytest.raises(InputError) as raised:
        build_tree([])
    assert raised.value.code == "empty_tree"


def test_leaf_hash__beyond_a_uint256__is_refused() -> None:
    with pytest.raises(OverflowError):
        leaf_hash(0, "0x" + "0" * 40, 2**256)


def test_root__of_ten_leaves__is_the_one_of_the_javascript_library() -> None:
    assert build_tree(values(10)).root == JAVASCRIPT_ROOT


@pytest.mark.parametrize("kind", [-1, 256])
def test_leaf_hash__of_no_uint8__is_refused(kind: int) -> None:
    with pytest.raises(ValueError, match="bytes must be"):
        leaf_hash(kind, "0x" + "0" * 40, 1)


@pytest.mark.parametrize("address", ["0x", "0" * 42, "0x" + "g" * 40, "0x" + "0" * 39 + " "])
def test_leaf_hash__of_no_address__is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|[Nn]on-hex"):
        leaf_hash(0, address, 1)


def test_build_tree__addresses_whose_lengths_cancel_out__is_refused() -> None:
    with pytest.raises(ValueError, match="42 characters"):
        build_tree([(0, "0x" + "1" * 40 + "0", 1), (0, "x" + "1" * 40, 1)])


def test_nodes__of_hashes_with_equal_beginnings__are_in_the_order_of_all_their_bytes() -> None:
    hashes = np.zeros((64, 32), np.uint8)
    hashes[:, 24] = np.random.default_rng(1).permutation(64)
    nodes, places = make_nodes(hashes, hash_rows_in_c)
    leaves = [bytes(node) for node in nodes[63:]]
    assert leaves == sorted(map(bytes, hashes), reverse=True)
    assert all(bytes(nodes[at]) == bytes(hashes[n]) for n, at in enumerate(places.tolist()))
    joined = min(leaves[0], leaves[1]) + max(leaves[0], leaves[1])
    assert bytes(nodes[31]) == keccak(joined)
