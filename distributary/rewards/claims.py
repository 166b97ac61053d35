"""What a payee needs to claim, or an account to withdraw: the leaf, its proof and the root."""

from pathlib import Path
from typing import Any

from distributary.errors import InputError
from distributary.merkle import Tree, load_tree, proof_holds
from distributary.rewards.inputs import CHARGED, EARNED
from distributary.rewards.manifest import SettlementManifest
from distributary.rewards.outputs import TREE_NAME


def load_posted_tree(lake: Path, manifest: SettlementManifest) -> Tree:
    """The tree of a posting, built again from its values.

    Raises:
        InputError: `no_tree`: the posting has none here; `bad_tree`.
    """
    path = lake / manifest.folder / TREE_NAME
    if not path.is_file():
        raise InputError("The posting has no tree here.", value=str(path), code="no_tree")
    return load_tree(path.read_bytes())


def make_proof(tree: Tree, address: str, kind: int = EARNED) -> dict[str, Any]:
    """The proof of a payee's or an account's leaf, as the contract takes it.

    Args:
        tree: of an active root.
        address: in lower case.
        kind: 0 for what was earned, 1 for what was charged.

    Raises:
        InputError: `no_leaf`.
    """
    for index, value in enumerate(tree.values):
        if tuple(value[:2]) == (kind, address):
            proof = tree.proof(index)
            if not proof_holds(tree.root, value, proof):
                raise InputError("The tree is damaged.", value=address, code="bad_tree")
            return {
                "root": tree.root,
                "kind": kind,
                "address": address,
                "cumulative_units": str(value[2]),
                "proof": proof,
            }
    what = {EARNED: "earned nothing", CHARGED: "has no deposit"}[kind]
    raise InputError(f"The address {what} under this root.", value=address, code="no_leaf")
