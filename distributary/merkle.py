"""The Merkle tree of a posting: OpenZeppelin's `standard-v1`, byte by byte.

A leaf is keccak256(keccak256(abi.encode(uint8 kind, address, uint256 cumulative units))); leaf
hashes are sorted, and stand in reverse at the end of a complete binary tree whose nodes are the
keccak256 of their two children, the smaller first. Source: @openzeppelin/merkle-tree 1.0.8.
"""

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from typing import Any, Final

from distributary.errors import InputError
from distributary.strict_json import parse_json

LEAF_ENCODING: Final = ("uint8", "address", "uint256")
FORMAT: Final = "standard-v1"
DUMP_CHUNK: Final = 10_000
HASH_BYTES: Final = 32
KERNEL_LEAVES_MIN: Final = 20_000  # below, loading the compiled kernel takes longer than the tree
SHARED_NODES: Final = 2**13 - 1  # thirteen levels, whose proofs take 5 MB
_PADDING: Final = tuple(kind.to_bytes(32, "big") + bytes(12) for kind in range(256))

Value = tuple[int, str, int]  # kind, address, cumulative units


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
        """The proofs of all values, in their order; all share what lies near the root."""
        nodes, upper = self.nodes, self._upper_proofs()
        shared = len(upper)
        for place in self.places:
            siblings = []
            while place >= shared:
                at = HASH_BYTES * (((place + 1) ^ 1) - 1)
                siblings.append(nodes[at : at + HASH_BYTES])
                place = (place - 1) >> 1
            siblings += upper[place]
            yield siblings

    def _upper_proofs(self) -> list[list[bytes]]:
        """The proofs of the first nodes, the root's first."""
        upper: list[list[bytes]] = [[]]
        for place in range(1, min(SHARED_NODES, len(self.nodes) // HASH_BYTES)):
            at = HASH_BYTES * (((place + 1) ^ 1) - 1)
            upper.append([self.nodes[at : at + HASH_BYTES], *upper[(place - 1) >> 1]])
        return upper

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
    """The hash of one leaf, 32 bytes."""
    return leaf_hashes([(kind, address, cumulative_units)])[0]


def leaf_hashes(values: Iterable[Value]) -> list[bytes]:
    """The hashes of leaves, in their order.

    Raises:
        OverflowError: units below zero or above 2^256 - 1.
    """
    keccak = _keccak()
    return [keccak(keccak(_encode(value)).digest()).digest() for value in values]


def _encode(value: Value) -> bytes:
    """abi.encode(uint8 kind, address, uint256 cumulative units), 96 bytes."""
    kind, address, units = value
    return _PADDING[kind] + bytes.fromhex(address[2:]) + units.to_bytes(HASH_BYTES, "big")


def build_tree(values: Sequence[Value]) -> Tree:
    """Builds the tree over values of any order.

    Raises:
        InputError: `empty_tree`: a tree needs a leaf.
    """
    if not values:
        raise InputError("A tree needs at least one leaf.", code="empty_tree")
    if len(values) >= KERNEL_LEAVES_MIN and find_spec("numba"):
        return build_by_kernel(values)
    return build_in_python(values)


def build_by_kernel(values: Sequence[Value]) -> Tree:
    """The same tree by the compiled kernel of the extra `fast`, in a fifth of the time."""
    from distributary.merkle_kernel import tree_nodes

    nodes, places = tree_nodes(b"".join(map(_encode, values)), len(values))
    return Tree(values, nodes, array("Q", places.tobytes()))


def build_in_python(values: Sequence[Value]) -> Tree:
    """The tree by keccak in C alone."""
    hashes = leaf_hashes(values)
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    last = 2 * len(hashes) - 2
    places = array("Q", bytes(8 * len(hashes)))
    for rank, index in enumerate(order):
        places[index] = last - rank
    ordered = b"".join([hashes[index] for index in reversed(order)])
    del hashes, order
    return Tree(values, _nodes(ordered), places)


def _nodes(leaves: bytes) -> bytes:
    """All nodes over leaf hashes in falling order; a node's children stand side by side."""
    keccak, inner = _keccak(), len(leaves) - HASH_BYTES
    nodes = bytearray(inner) + leaves
    for at in range(inner - HASH_BYTES, -1, -HASH_BYTES):
        first = 2 * at + HASH_BYTES
        left, right = nodes[first : first + 32], nodes[first + 32 : first + 64]
        nodes[at : at + 32] = keccak(left + right if left < right else right + left).digest()
    return bytes(nodes)


def proof_holds(root: str, value: Value, proof: Iterable[str]) -> bool:
    """Whether a proof leads from a value to a root, as the contract checks it."""
    keccak, node = _keccak(), leaf_hash(*value)
    for each in proof:
        sibling = bytes.fromhex(each.removeprefix("0x"))
        node = keccak(node + sibling if node < sibling else sibling + node).digest()
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


def _keccak() -> Callable[[bytes | bytearray], Any]:
    """keccak-256 in C; pycryptodome's takes seven times as long."""
    import sha3  # type: ignore[import-untyped]

    keccak: Callable[[bytes | bytearray], Any] = sha3.keccak_256
    return keccak
