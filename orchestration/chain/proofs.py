"""Proofs of leaves, out of the trees that postings left in the lake or that somebody published."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distributary.errors import InputError
from distributary.merkle import Tree, load_tree
from distributary.rewards.outputs import TREE_NAME

EARNED: Final = 0
CHARGED: Final = 1
HEAD_BYTES: Final = 200  # a dump begins with its format, its encoding and the root

TreeOf = Callable[[str], Tree]
"""The tree of a root (0x and 64 hex digits); raises InputError `unknown_root`."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A leaf's cumulative units, and its siblings from the leaf up."""

    cumulative_units: int
    siblings: list[str]


def trees_in(lake: Path) -> TreeOf:
    """Looks in the postings' folders of a lake, the newest first."""

    def find(root: str) -> Tree:
        for path in sorted((lake / "settlements").glob(f"*/{TREE_NAME}"), reverse=True):
            with path.open("rb") as file:
                if root.encode() not in file.read(HEAD_BYTES):
                    continue
            tree = load_tree(path.read_bytes())
            if tree.root == root:
                return tree
        raise InputError(
            "The tree of the active root is not in the lake: give --tree FILE, as published with "
            "the posting.",
            value=root,
            code="unknown_root",
        )

    return find


def tree_file(path: Path) -> TreeOf:
    """Takes one file, which must be of the root asked for."""

    def find(root: str) -> Tree:
        try:
            tree = load_tree(path.read_bytes())
        except OSError as error:
            raise InputError(
                "The tree's file cannot be read.", value=str(path), code="unreadable"
            ) from error
        if tree.root != root:
            raise InputError(
                f"The file holds another tree; the active root is {root}.",
                value=tree.root,
                code="unknown_root",
            )
        return tree

    return find


def find_proof(tree: Tree, kind: int, address: str) -> Proof | None:
    """The proof of one leaf, or None where the address has no such leaf."""
    for index, (leaf_kind, leaf_address, units) in enumerate(tree.values):
        if (leaf_kind, leaf_address) == (kind, address):
            return Proof(units, tree.proof(index))
    return None


def earned(tree: Tree) -> dict[str, tuple[int, int]]:
    """By payee, in the order of the tree: place in `tree.values`, and cumulative units."""
    return {
        address: (index, units)
        for index, (kind, address, units) in enumerate(tree.values)
        if kind == EARNED
    }
