"""Somebody who interferes with a settlement between two of its runs, each way once."""

from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from orchestration.chain import local
from tests.faults.settlement.test_disputes import dispute, do, pending_name, top_up_bond
from tests.settlement_world import World


@dataclass
class Meddler:
    """Takes a nonce, takes back a mined block, has a root dropped, takes back a final one.

    Attributes:
        left: what was not done yet.
    """

    world: World
    left: list[Callable[[], bool]] = field(init=False)

    def __post_init__(self) -> None:
        self.left = [self.take_nonce, self.take_back_mined, self.uphold, self.take_back_sent]

    def meddle(self) -> None:
        """Does the next thing as soon as it is possible."""
        if self.left and self.left[0]():
            self.left.pop(0)

    def take_nonce(self) -> bool:
        """A transaction of the settler's key, sent from elsewhere, where ours is only reserved."""
        nonce = self._one("select nonce from transactions where state = 'reserved'")
        if nonce is None:
            return False
        settler = local.known_address(local.SETTLER)
        self.world.ask("anvil_impersonateAccount", settler)
        given = {"from": settler, "to": settler, "nonce": hex(nonce), "gas": hex(500_000)}
        self.world.ask("eth_sendTransaction", given)
        self.world.mine()
        self.world.ask("anvil_stopImpersonatingAccount", settler)
        self.world.foreign += 1
        return True

    def take_back_mined(self) -> bool:
        """A re-org before confirmation."""
        return self._take_back("select block from transactions where state = 'mined'")

    def uphold(self) -> bool:
        """A dispute that is upheld, and the bond topped up."""
        if not self._one("select 1 from postings where state = 'sent' and from_epoch = 2"):
            return False
        dispute(self.world)
        do(self.world, local.ARBITER, "resolveDispute", *pending_name(self.world), True)
        top_up_bond(self.world)
        return True

    def take_back_sent(self) -> bool:
        """A re-org after confirmation."""
        return self._take_back(
            """
            select block from transactions join postings on purpose = 'post:' || posting_id
            where (from_epoch, attempt) = (2, 2) and postings.state = 'sent'
            """
        )

    def _take_back(self, blocks: str) -> bool:
        block = self._one(blocks)
        if block is None:
            return False
        self.world.ask("anvil_reorg", self.world.chain.node.head - block + 1, [])
        self.world.ask("anvil_dropAllTransactions")
        return True

    def _one(self, statement: str) -> int | None:
        with psycopg.connect(self.world.dsn) as connection:
            row = connection.execute(statement).fetchone()  # type: ignore[arg-type]
        return int(row[0]) if row else None


def is_behind(world: World) -> bool:
    """Whether a block that a transaction's row names is gone."""
    with psycopg.connect(world.dsn) as connection:
        rows = connection.execute(
            "select block, block_hash from transactions where block is not null"
        ).fetchall()
    return any(
        world.ask("eth_getBlockByNumber", hex(block), False)["hash"] != "0x" + hash_.hex()
        for block, hash_ in rows
    )
