"""The Merkle tree of a posting: OpenZeppelin's `standard-v1`, byte by byte.

A leaf is keccak256(keccak256(abi.encode(uint8 kind, address, uint256 cumulative units))); leaf
hashes are sorted, and stand in reverse at the end of a complete binary tree whose nodes are the
keccak256 of their two children, the smaller first. Source: @openzeppelin/merkle-tree 1.0.8.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from typing import Any, Final

import numpy as np

from distributary.errors import InputError
from distributary.merkle_leaves import (
    HASH_BYTES,
    Hasher,
    Value,
    hash_leaves,
    hash_rows_in_c,
    keccak,
)
from distributary.merkle_nodes import make_nodes
from distributary.strict_json import parse_json

LEAF_ENCODING: Final = ("uint8", "address", "uint256")
FORMAT: Final = "standard-v1"
DUMP_CHUNK: Final = 10_000
KERNEL_LEAVES_MIN: Final = 20_000  # below, loading the compiled kernel takes longer than the tree
PROOFS_CHUNK: Final = 2**13
SHARED_NODES: Final = 2**16 - 1  # sixteen levels, 6 MB; below them hardly two proofs share a node


@dataclass(frozen=True)
class Tree:
    """A tree.

    Attributes:
        values: the leaves' values, in the order given.
        nodes: all node hashes, the root first, the leaves last, in one byte string.
        places: by value, the index of its node.
    """

    values: Sequence[Value]
    nodes: bytes
    places: Sequence[int]

    @property
    def root(self) -> str:
        """0x and 64 hex digits."""
        return "0x" + self.nodes[:HASH_BYTES].hex()

    def proof(self, index: int) -> list[str]:
        """The proof of value `index`: siblings from the leaf up, each 0x and 64 hex digits."""
        return ["0x" + sibling.hex() for sibling in self._siblings(self.places[index])]

    def proofs(self) -> Iterator[list[bytes]]:
        """The proofs of all values, in their order; all share the nodes near the root."""
        nodes = np.frombuffer(self.nodes, f"V{HASH_BYTES}")
        shared = nodes[:SHARED_NODES].astype(object)
        places = np.asarray(self.places, np.int64) + 1
        depth = int(places.max()).bit_length() - 1
        for start in range(0, len(places), PROOFS_CHUNK):
            chunk = places[start : start + PROOFS_CHUNK]
            siblings = np.empty((len(chunk), depth), object)
            for height in range(depth):
                at = ((chunk >> height) ^ 1) - 1
                is_shared = at.max() < SHARED_NODES
                siblings[:, height] = shared[at] if is_shared else nodes[at].astype(object)
            lengths = depth - (chunk >> depth == 0)  # leaves stand on at most two levels
            for proof, length in zip(siblings.tolist(), lengths.tolist(), strict=True):
                del proof[length:]
                yield proof

    def _siblings(self, place: int) -> list[bytes]:
        nodes, siblings = self.nodes, []
        while place:
            at = HASH_BYTES * (((place + 1) ^ 1) - 1)
            siblings.append(nodes[at : at + HASH_BYTES])
            place = (place - 1) >> 1
        return siblings

    def dump(self) -> Iterator[bytes]:
        """The bytes of `JSON.stringify(tree.dump())`, in chunks; numbers of values are text."""
        encoding = json.dumps(LEAF_ENCODING, separators=(",", ":"))
        yield f'{{"format":"{FORMAT}","leafEncoding":{encoding},"tree":['.encode()
        digits = self.nodes.hex()
        yield from _joined(f'"0x{digits[at : at + 64]}"' for at in range(0, len(digits), 64))
        yield b'],"values":['
        yield from _joined(
            f'{{"value":["{kind}","{address}","{units}"],"treeIndex":{place}}}'
            for (kind, address, units), place in zip(self.values, self.places, strict=True)
        )
        yield b"]}"


def leaf_hash(kind: int, address: str, cumulative_units: int) -> bytes:
    """The hash of one leaf, 32 bytes; raises as `merkle_leaves.encode` does."""
    return hash_leaves([(kind, address, cumulative_units)], hash_rows_in_c).tobytes()


def build_tree(values: Sequence[Value]) -> Tree:
    """Builds the tree over values of any order.

    Raises:
        InputError: `empty_tree`: a tree needs a leaf.
        OverflowError: units below zero or above 2^256 - 1.
        ValueError: a kind is no uint8, or an address none.
    """
    if not values:
        raise InputError("A tree needs at least one leaf.", code="empty_tree")
    if len(values) >= KERNEL_LEAVES_MIN and find_spec("numba"):
        return build_by_kernel(values)
    return build_in_python(values)


def build_by_kernel(values: Sequence[Value]) -> Tree:
    """The tree by the compiled kernel of the extra `fast`."""
    from distributary.merkle_kernel import hash_rows

    return _build(values, hash_rows)


def build_in_python(values: Sequence[Value]) -> Tree:
    """The tree by keccak in C alone."""
    return _build(values, hash_rows_in_c)


def _build(values: Sequence[Value], hash_rows: Hasher) -> Tree:
    nodes, places = make_nodes(hash_leaves(values, hash_rows), hash_rows)
    return Tree(values, nodes.tobytes(), array("Q", places.tobytes()))


def proof_holds(root: str, value: Value, proof: Iterable[str]) -> bool:
    """Whether a proof leads from a value to a root, as the contract checks it."""
    node = leaf_hash(*value)
    for each in proof:
        sibling = bytes.fromhex(each.removeprefix("0x"))
        node = keccak(min(node, sibling) + max(node, sibling))
    return root == "0x" + node.hex()


def load_tree(data: bytes) -> Tree:
    """Reads a dump and builds its tree again.

    Raises:
        InputError: `bad_tree`: it is no dump of our leaves, or its hashes are not those of its
            values.
    """
    parsed = parse_json(data)
    try:
        if parsed["format"] != FORMAT or parsed["leafEncoding"] != list(LEAF_ENCODING):
            raise ValueError("another format")
        values = [_value(*each["value"]) for each in parsed["values"]]
        tree = build_tree(values)
        nodes = bytes.fromhex("".join(node.removeprefix("0x") for node in parsed["tree"]))
        same = nodes == tree.nodes and [v["treeIndex"] for v in parsed["values"]] == list(
            tree.places
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"Not a Merkle tree: {error!r}.", code="bad_tree") from error
    if not same:
        raise InputError("The tree is not that of its values.", code="bad_tree")
    return tree


def _value(kind: Any, address: Any, units: Any) -> Value:
    return int(kind), str(address).lower(), int(units)


def _joined(texts: Iterator[str]) -> Iterator[bytes]:
    separator = ""
    while chunk := list(islice(texts, DUMP_CHUNK)):
        yield (separator + ",".join(chunk)).encode()
        separator = ","
