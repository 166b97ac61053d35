"""Leaves of a root and their proofs, by `multiproof`: none of the code that makes ours."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from multiproof import StandardMerkleTree

ENCODING = ["uint8", "address", "uint256"]
EARNED, CHARGED = 0, 1


@dataclass(frozen=True)
class Book:
    """Cumulative units by payee and by account.

    Attributes:
        earned: leaves of kind 0.
        charged: leaves of kind 1.
    """

    earned: dict[str, int] = field(default_factory=dict)
    charged: dict[str, int] = field(default_factory=dict)

    @property
    def leaves(self) -> list[tuple[int, str, int]]:
        return [(EARNED, who, units) for who, units in self.earned.items()] + [
            (CHARGED, who, units) for who, units in self.charged.items()
        ]

    @cached_property
    def tree(self) -> Any:
        return StandardMerkleTree.of(self.leaves, ENCODING)

    @property
    def root(self) -> bytes:
        return bytes.fromhex(self.tree.root[2:])

    def proof_of(self, kind: int, who: str) -> list[bytes]:
        units = (self.earned, self.charged)[kind][who]
        return [bytes.fromhex(node[2:]) for node in self.tree.get_proof((kind, who, units))]

    def claim_of(self, payee: str) -> tuple[str, int, list[bytes]]:
        """One element of `claimMany`, and the arguments of `claim` after the root."""
        return payee, self.earned[payee], self.proof_of(EARNED, payee)

    def charge_of(self, account: str) -> tuple[int, list[bytes]]:
        """The arguments of a withdrawal after the root."""
        return self.charged[account], self.proof_of(CHARGED, account)
