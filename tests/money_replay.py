"""Who should be charged, from answers and chain alone: the funding rules written once more."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

WRITE_OFF_EPOCHS = 64
ACCOUNTS = 10  # of anvil's public mnemonic; nobody else deposits in a test

Waiting = tuple[int, str, str, int]  # own epoch, request hash, account, units


@dataclass
class Replay:
    """Funds the answers of one posting after the other, as the chain was at its pinned block.

    Attributes:
        charged: funded units by account, since the first posting.
        waiting: charges that did not fit, in no order.
        funded: request hash and deciding epoch of every funded charge.
    """

    world: Any
    charged: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    waiting: list[Waiting] = field(default_factory=list)
    funded: set[tuple[str, int]] = field(default_factory=set)
    _first: int | None = None

    def post(self, from_epoch: int, to_epoch: int, pinned_block: int) -> None:
        """One active posting."""
        self._first = from_epoch if self._first is None else self._first
        credit = {
            account: self._at(pinned_block, "deposited", account)
            - self._at(pinned_block, "withdrawn", account)
            for account in self.accounts(pinned_block)
        }
        for epoch in range(from_epoch, to_epoch + 1):
            self._decide(epoch, credit, pinned_block)

    def accounts(self, block: int) -> list[str]:
        """Who has ever deposited, up to a block."""
        every = [self.world.chain.address(number) for number in range(ACCOUNTS)]
        return [each for each in every if self._at(block, "deposited", each)]

    def _decide(self, epoch: int, credit: dict[str, int], pinned_block: int) -> None:
        candidates = sorted(self.waiting + answers_of(self.world.lake, epoch))
        self.waiting = []
        for own_epoch, hash_, account, units in candidates:
            if self._has_left(account, epoch, pinned_block):
                continue
            if epoch - own_epoch >= WRITE_OFF_EPOCHS:
                continue
            if self.charged[account] + units > credit.get(account, 0):
                self.waiting.append((own_epoch, hash_, account, units))
                continue
            self.charged[account] += units
            self.funded.add((hash_, epoch))

    def _has_left(self, account: str, epoch: int, pinned_block: int) -> bool:
        """Whether an epoch before was cut the grace period after the account's freeze."""
        frozen = self._at(pinned_block, "frozenAt", account)
        if not frozen or epoch == self._first:
            return False
        grace = int(self.world.chain.contract.read("graceBlocks"))
        return bool(self.world.chain.contract.read("epochCommit", epoch - 1)[1] >= frozen + grace)

    def _at(self, block: int, view: str, account: str) -> int:
        return int(self.world.chain.contract.read(view, account, at=block))


def answers_of(lake: Any, epoch: int) -> list[Waiting]:
    """The charged answers of a closed epoch."""
    columns = ["outcome", "request_hash", "account", "charge_units"]
    found = []
    for path in (lake / "epochs" / f"{epoch:08d}").glob("answers-*.parquet"):
        for row in pq.read_table(path, columns=columns).to_pylist():
            if row["outcome"] == "charged":
                units = int(row["charge_units"])
                found.append((epoch, row["request_hash"], row["account"], units))
    return found
