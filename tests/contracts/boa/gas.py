"""What calls cost as whole transactions: intrinsic gas, calldata and execution, before refunds."""

import hashlib
from dataclasses import dataclass
from typing import Any

import boa
from book import EARNED, ENCODING, Book
from eth_abi import encode
from eth_utils import keccak
from world import ACTIVATION_DELAY_S, World, address_of

DEPTHS = (10, 17, 20)
SHALLOW = (1, 5)  # of the trees of two and twenty accounts in Uniswap's own gas tests
MANY = 25
RELAY = address_of("relay")
UNITS = 1_234_567_890_123_456_789


def intrinsic(data: bytes) -> int:
    """EIP-2028; the floor of EIP-7623 is lower for all calls measured here."""
    return 21_000 + sum(16 if byte else 4 for byte in data)


def measure(world: World, function: str, *arguments: Any, sender: str = RELAY) -> int:
    """The gas of one call as a transaction of its own: cold slots, committed state."""
    boa.env.evm.vm.state.lock_changes()
    boa.env._reset_access_counters()
    method = getattr(world.contract, function)
    data = method.prepare_calldata(*arguments)
    method(*arguments, sender=sender)
    return intrinsic(data) + int(world.contract._computation.get_gas_used())


def pair(one: bytes, other: bytes) -> bytes:
    return keccak(min(one, other) + max(one, other))


@dataclass
class Branch:
    """A leaf with siblings that nobody knows more of: a tree of any depth, without its leaves."""

    payee: str
    units: int
    node: bytes
    proof: list[bytes]

    @classmethod
    def grow(cls, payee: str, units: int, depth: int) -> "Branch":
        leaf = keccak(keccak(encode(ENCODING, (EARNED, payee, units))))
        branch = cls(payee, units, leaf, [])
        for level in range(depth):
            branch.join(hashlib.sha256(f"{payee} {units} {level}".encode()).digest())
        return branch

    def join(self, sibling: bytes) -> None:
        self.proof.append(sibling)
        self.node = pair(self.node, sibling)

    @property
    def claim(self) -> tuple[str, int, list[bytes]]:
        return self.payee, self.units, self.proof


def crown(branches: list[Branch]) -> bytes:
    """Joins branches two by two to one root."""
    groups = [[branch] for branch in branches]
    while len(groups) > 1:
        left, right = groups.pop(0), groups.pop(0)
        left_node, right_node = left[0].node, right[0].node
        for group, sibling in ((left, right_node), (right, left_node)):
            for branch in group:
                branch.join(sibling)
        groups.append(left + right)
    return branches[0].node


def settle(world: World, root: bytes) -> tuple[int, int]:
    """Posts and activates a root that earned more than the last; the gas of both."""
    boa.env.time_travel(blocks=1)
    earned = world.contract.earnedTotal() + 10**24 + UNITS
    world.commit()
    arguments = world.posting(Book({}, {RELAY: 0}), root=root, earned=earned, charged=earned)
    post = measure(world, "postRoot", *arguments, sender=world.settler)
    boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
    return post, measure(world, "activateRoot")


def measure_all(world: World) -> dict[str, int]:
    """Every case of the snapshot, by name."""
    world.fund(address_of("customer"), 10**27)
    gas = {}
    gas["postRoot first"], gas["activateRoot first"] = settle(world, b"\x01" * 32)
    gas["postRoot later"], gas["activateRoot later"] = settle(world, b"\x02" * 32)
    for depth in SHALLOW:
        branch = Branch.grow(address_of(f"payee {depth}"), UNITS, depth)
        settle(world, branch.node)
        gas[f"claim first, depth {depth}"] = measure(world, "claim", branch.node, *branch.claim)
    for depth in DEPTHS:
        payee, holder = address_of(f"payee {depth}"), address_of(f"holder {depth}")
        world.token.mint(holder, 1)
        cases = ((payee, 1, "first"), (payee, 2, "later"), (holder, 1, "first of a holder"))
        for who, times, name in cases:
            branch = Branch.grow(who, UNITS * times, depth)
            settle(world, branch.node)
            case = f"claim {name}, depth {depth}"
            gas[case] = measure(world, "claim", branch.node, *branch.claim)
        payees = [address_of(f"payee {depth} {number}") for number in range(32)]
        for number, name in enumerate(("first", "later")):
            branches = [Branch.grow(p, UNITS * (number + 1), depth - 5) for p in payees]
            root = crown(branches)
            settle(world, root)
            claims = [branch.claim for branch in branches[:MANY]]
            total = measure(world, "claimMany", root, claims)
            assert not world.logs("ClaimSkipped")
            gas[f"claimMany {name} a payee of {MANY}, depth {depth}"] = total // MANY
    return gas
