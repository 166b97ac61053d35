"""A deployed contract with its token and its people, and the steps that tests repeat."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boa
from book import Book
from eth_utils import keccak, to_checksum_address

CONTRACTS = Path(__file__).parents[3] / "contracts"
TOKEN = boa.load_partial(str(CONTRACTS / "DemoToken.vy"))
DISTRIBUTARY = boa.load_partial(str(CONTRACTS / "Distributary.vy"))

ACTIVATION_DELAY_S = 3_600
ARBITER_DEADLINE_S = 86_400
GRACE_BLOCKS = 10
FAIL_SAFE_S = 14 * 86_400
BOND = 10**20
TIMELOCK_S = 2 * 86_400
RICH = 10**30
SINK = "0x000000000000000000000000000000000000dEaD"
ZERO = "0x" + "00" * 20
NO_ROOT = bytes(32)

DEPOSIT, POST, DISPUTE, CLAIM, WITHDRAW = 1, 2, 4, 8, 16
OWNER, SETTLER, ARBITER = 0, 1, 2


def address_of(role: str) -> str:
    """A fixed address for a role's name."""
    return str(to_checksum_address(keccak(text=role)[12:]))


def block() -> int:
    """The number of the block that the next call is in."""
    return int(boa.env.evm.patch.block_number)


def now_s() -> int:
    """The time of the block that the next call is in."""
    return int(boa.env.evm.patch.timestamp)


@dataclass
class World:
    """The contract under test.

    Attributes:
        token: the token, of which `mint` gives anybody any amount.
        contract: the contract.
        owner, settler, arbiter: the roles' first holders.
    """

    token: Any
    contract: Any
    owner: str
    settler: str
    arbiter: str

    @classmethod
    def deploy(cls, token: Any = None, **changes: int) -> "World":
        owner, settler, arbiter = map(address_of, ("owner", "settler", "arbiter"))
        settings = {
            "activation_delay_s": ACTIVATION_DELAY_S,
            "arbiter_deadline_s": ARBITER_DEADLINE_S,
            "grace_blocks": GRACE_BLOCKS,
            "fail_safe_s": FAIL_SAFE_S,
            "bond_units": BOND,
            "timelock_s": TIMELOCK_S,
        } | changes
        token = token or TOKEN.deploy()
        with boa.env.prank(owner):
            contract = DISTRIBUTARY.deploy(token, settler, arbiter, *settings.values())
        world = cls(token, contract, owner, settler, arbiter)
        world.bond(settler, 1_000 * BOND)
        return world

    def hand(self, who: str, units: int) -> None:
        """Gives tokens, and approves the contract for them."""
        self.token.mint(who, units)
        self.token.approve(self.contract, 2**256 - 1, sender=who)

    def bond(self, who: str, units: int) -> None:
        self.hand(who, units)
        self.contract.depositBond(units, sender=who)

    def fund(self, account: str, units: int) -> None:
        self.hand(account, units)
        self.contract.deposit(units, sender=account)

    def commit(self, epoch: int | None = None, cut: int | None = None) -> int:
        """Commits the next epoch, cut at the block before this one."""
        epoch = self.contract.nextCommit() if epoch is None else epoch
        cut = block() - 1 if cut is None else cut
        self.contract.commitEpoch(epoch, (epoch + 1).to_bytes(32, "big"), cut, sender=self.settler)
        return epoch

    def posting(self, book: Book, **changes: Any) -> list[Any]:
        """The arguments of a right posting of all that is committed, with changes."""
        first, end = self.contract.nextEpoch(), self.contract.nextCommit()
        right = {
            "from_epoch": first,
            "to_epoch": max(end - 1, 0),
            "attempt": 1,
            "parent": self.contract.activeRoot(),
            "root": book.root,
            "earned": sum(book.earned.values()),
            "charged": sum(book.charged.values()),
            "pinned": block() - 1,
            "settlement_hash": b"\x05" * 32,
        }
        assert changes.keys() <= right.keys()
        return list((right | changes).values())

    def post(self, book: Book, **changes: Any) -> None:
        self.contract.postRoot(*self.posting(book, **changes), sender=self.settler)

    def name(self) -> tuple[int, int]:
        """First epoch and attempt of the pending root, by which disputes name it."""
        pending = self.contract.pending()
        return pending.fromEpoch, pending.attempt

    def dispute(self, who: str) -> None:
        self.contract.dispute(*self.name(), sender=who)

    def resolve(self, upheld: bool, who: str) -> None:
        self.contract.resolveDispute(*self.name(), upheld, sender=who)

    def activate(self) -> None:
        boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
        self.contract.activateRoot()

    def settle(self, book: Book) -> None:
        """An epoch from its commit to its active root."""
        boa.env.time_travel(blocks=1)
        self.commit()
        self.post(book)
        self.activate()

    def open_fail_safe(self) -> None:
        boa.env.time_travel(seconds=FAIL_SAFE_S)

    def refuses(self, function: str, *arguments: Any, sender: str) -> bool:
        """Whether a call reverts; without the report on it that titanoboa takes 0.1 s for."""
        data = getattr(self.contract, function).prepare_calldata(*arguments)
        with boa.env.anchor():
            call = boa.env.execute_code(self.contract.address, sender=sender, data=data)
        return bool(call.is_error)

    def logs(self, name: str) -> list[Any]:
        """The last call's events of one kind."""
        return [log for log in self.contract.get_logs() if type(log).__name__ == name]


@cache
def deployed() -> World:
    """One contract for all tests; conftest.py asks for it before anything is anchored."""
    boa.env.time_travel(blocks=1_000)
    return World.deploy()
