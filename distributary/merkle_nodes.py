"""The nodes of a Merkle tree over leaf hashes, level by level in flat arrays.

A complete binary tree in one array: the root first, the children of node n at 2n + 1 and 2n + 2,
so that a level and its children's both stand in one piece.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distributary.merkle_leaves import CHUNK_ROWS, HASH_BYTES, Hasher, Octets

PAIR_BYTES: Final = 2 * HASH_BYTES


def make_nodes(hashes: Octets, hash_rows: Hasher) -> tuple[Octets, NDArray[np.uint64]]:
    """Builds the tree over leaf hashes of any order.

    Returns:
        All node hashes, and by leaf the index of its node: the least hash stands last.
    """
    count = len(hashes)
    order = _order(hashes)
    places = np.empty(count, np.uint64)
    places[order] = np.arange(2 * count - 2, count - 2, -1, dtype=np.uint64)
    nodes = np.empty((2 * count - 1, HASH_BYTES), np.uint8)
    nodes[count - 1 :] = hashes[order[::-1]]
    for inner in _inner_nodes(count - 1):
        children = nodes[2 * inner.start + 1 : 2 * inner.stop + 1]
        nodes[inner.start : inner.stop] = hash_rows(_smaller_first(children))
    return nodes, places


def _inner_nodes(count: int) -> Iterator[range]:
    """Inner nodes in ranges within one level, children before their parents."""
    for level in range(count.bit_length() - 1, -1, -1):
        stop = min(2 ** (level + 1) - 1, count)
        for start in range(2**level - 1, stop, CHUNK_ROWS):
            yield range(start, min(start + CHUNK_ROWS, stop))


def _order(hashes: Octets) -> NDArray[np.int64]:
    """The leaves by their hash, the least first; big-endian words sort as the octets do."""
    words = hashes.view(">u8")
    first = words[:, 0].astype(np.uint64)
    order = np.argsort(first)
    ordered = first[order]
    if (ordered[1:] == ordered[:-1]).any():
        order = np.lexsort((words[:, 3], words[:, 2], words[:, 1], first))
    return order


def _smaller_first(children: Octets) -> Octets:
    """The children of each node, joined as they are hashed."""
    pairs = children.reshape(-1, 2, HASH_BYTES)
    words = pairs.view(">u8")
    is_after = np.zeros(len(pairs), np.bool_)
    for word in (3, 2, 1, 0):
        left, right = words[:, 0, word], words[:, 1, word]
        is_after = (left > right) | ((left == right) & is_after)
    ordered = np.where(is_after[:, None, None], pairs[:, ::-1], pairs)
    return ordered.reshape(-1, PAIR_BYTES)
