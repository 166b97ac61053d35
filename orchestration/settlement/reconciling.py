"""The ledger against the chain, figure by figure, to the unit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from distributary.merkle import build_tree
from distributary.rewards.inputs import CHARGED, EARNED
from distributary.rewards.leaves import total
from distributary.store.settlement_inputs import read_posted_leaves
from orchestration.chain.contract import Contract
from orchestration.chain.rows import read_progress
from orchestration.settlement.postings import Database, active_posting, list_commits
from orchestration.settlement.stops import StopError

Value = int | str


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure on both sides; amounts in base units.

    Attributes:
        name: what is compared.
        ledger: what Postgres says.
        chain: what the contract says at the same block.
    """

    name: str
    ledger: Value
    chain: Value

    @property
    def difference(self) -> int:
        """Ledger less chain; of what is no number 1 where the two differ."""
        if isinstance(self.ledger, int) and isinstance(self.chain, int):
            return self.ledger - self.chain
        return int(self.ledger != self.chain)


@dataclass(frozen=True)
class Reconciler:
    """Compares at the last block that is indexed and final."""

    connection: Database
    contract: Contract
    token: Contract

    def run(self) -> tuple[int, list[Figure]]:
        """The block, and every figure; where a sum differs, the accounts that make it differ.

        Raises:
            StopError: `indexer_behind`: nothing is indexed.
        """
        progress = read_progress(self.connection)
        if progress is None:
            raise StopError("indexer_behind", value=0)
        block = progress.finalized_block
        return block, [*self._sums(block), *self._posting(block), *self._commits()]

    def _sums(self, block: int) -> Iterator[Figure]:
        deposited = self._by_account("chain_deposits", "account", block)
        withdrawn = self._by_account("chain_withdrawals", "account", block)
        claimed = self._by_account("chain_claims", "payee", block)
        credit = sum(deposited.values()) - sum(withdrawn.values())
        yield Figure("deposits less withdrawals", credit, self._read("creditTotal", at=block))
        yield Figure("claims", sum(claimed.values()), self._read("claimedTotal", at=block))
        held = self.token.read("balanceOf", self.contract.address, at=block)
        bonds = self._read("bondsHeld", at=block)
        yield Figure("tokens held", credit - sum(claimed.values()), int(held) - int(bonds))
        for view, amounts in (
            ("deposited", deposited),
            ("withdrawn", withdrawn),
            ("claimed", claimed),
        ):
            for address, units in amounts.items():
                found = Figure(f"{view} {address}", units, self._read(view, address, at=block))
                if found.difference:
                    yield found

    def _posting(self, block: int) -> Iterator[Figure]:
        active = active_posting(self.connection)
        posting_id, leaves = read_posted_leaves(self.connection)
        root = build_tree(leaves).root if leaves else "0x" + "0" * 64
        earned, charged = total(leaves, EARNED), total(leaves, CHARGED)
        # The active root is read now: a posting may be active before its block is final here.
        yield Figure("active root", root, "0x" + self._read("activeRoot").hex())
        yield Figure("earned total", earned, self._read("earnedTotal"))
        yield Figure("charged total", charged, self._read("chargedTotal"))
        stored = active.posting_id if active else 0
        yield Figure("active posting", posting_id or 0, stored)
        claimed = self._by_account("chain_claims", "payee", block)
        owned = {leaf.address: leaf.cumulative_units for leaf in leaves if leaf.kind == EARNED}
        for payee, units in claimed.items():
            if units > owned.get(payee, 0):
                yield Figure(f"claimed above the leaf of {payee}", owned.get(payee, 0), units)

    def _commits(self) -> Iterator[Figure]:
        for commit in list_commits(self.connection):
            if commit.state == "closed":
                continue
            answers_hash, cut_block = self._read("epochCommit", commit.epoch)
            found = Figure(
                f"commit of epoch {commit.epoch}",
                f"{commit.answers_hash.hex()} {commit.cut_block}",
                f"{answers_hash.hex()} {cut_block}",
            )
            if found.difference:
                yield found

    def _by_account(self, view: str, column: str, block: int) -> dict[str, int]:
        rows = self.connection.execute(
            f"select {column}, sum(units) from {view} where block <= %s "  # noqa: S608
            f"group by {column} order by {column}",
            (block,),
        ).fetchall()
        return {address: int(units) for address, units in rows}

    def _read(self, function: str, *arguments: Any, at: int | str = "latest") -> Any:
        return self.contract.read(function, *arguments, at=at)
