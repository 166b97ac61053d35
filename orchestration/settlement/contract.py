"""The contract as settlement sees it: its state at one block, and the calls that move it."""

from dataclasses import dataclass, fields
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from orchestration.chain.contract import Contract, code_hash
from orchestration.chain.deploy import VERSION
from orchestration.chain.errors import wrong_chain, wrong_contract
from orchestration.chain.rows import read_deployment
from orchestration.settlement.postings import Posted
from orchestration.settlement.reserving import Call
from orchestration.settlement.stops import StopError

NOBODY: Final = "0x" + "0" * 40
ZERO: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Pending:
    """The pending root; `active_at_s` counts with the contract's clock as it runs now."""

    root: bytes
    from_epoch: int
    to_epoch: int
    attempt: int
    parent_root: bytes
    earned_total_units: int
    charged_total_units: int
    pinned_block: int
    active_at_s: int
    is_disputed: bool


@dataclass(frozen=True, slots=True)
class ChainState:
    """What the contract says at one block; `next_commit` is 0 before the first commit.

    A new settler's start undoes the commits that no active root covers, so it can go back.
    """

    block: int
    next_commit: int
    next_epoch: int
    active_root: bytes
    pending: Pending | None
    pinned_block_min: int
    attempt_min: int

    def has_active(self, posting: Posted) -> bool:
        """Whether a posting is the active one; one of empty epochs has its parent's root."""
        return (self.active_root, self.next_epoch) == (posting.root, posting.to_epoch + 1)


@dataclass(frozen=True)
class SettlementContract:
    """The contract, and the check that it is the one that settlement was built for."""

    contract: Contract
    connection: Connection[TupleRow]
    chain_id: int
    settler: str

    def check(self) -> None:
        """Chain id, code, version and role; called before anything is signed.

        Raises:
            ChainStopError: `wrong_chain`, `wrong_contract`.
            StopError: `not_settler`.
        """
        client, address = self.contract.client, self.contract.address
        if (found := client.chain_id()) != self.chain_id:
            raise wrong_chain(found, self.chain_id)
        kept = read_deployment(self.connection)
        if kept is None or kept.contract != address or kept.chain_id != self.chain_id:
            raise wrong_contract("The indexer follows another contract", address)
        if code_hash(client, address) != kept.code_hash:
            raise wrong_contract("The contract's code is not what the indexer found", address)
        if (version := self.contract.read("version")) != VERSION:
            raise wrong_contract(f"The contract has version {version}, not {VERSION}", address)
        if (settler := self.contract.read("settler")) != self.settler:
            raise StopError("not_settler", f"That is {settler}.", value=self.settler)

    def state(self, block: int) -> ChainState:
        """What the contract says at a block."""
        found = self.contract.read("pending", at=block)
        values = (*found[:9], found[9] != NOBODY)
        names = [field.name for field in fields(Pending)]
        pending = Pending(**dict(zip(names, values, strict=True))) if found[0] != ZERO else None
        return ChainState(
            block,
            self.contract.read("nextCommit", at=block),
            self.contract.read("nextEpoch", at=block),
            self.contract.read("activeRoot", at=block),
            pending,
            self.contract.read("minPinnedBlock", at=block),
            self.contract.read("nextAttempt", at=block),
        )

    def commit_of(self, epoch: int, block: int) -> tuple[bytes, int]:
        """Answers hash and cut block that the chain holds for an epoch."""
        answers_hash, cut_block = self.contract.read("epochCommit", epoch, at=block)
        return answers_hash, cut_block

    def payee_of(self, owner: str) -> str | None:
        """Whom an owner is bound to on the chain."""
        from eth_utils.crypto import keccak

        found = str(self.contract.read("payeeOf", keccak(text=owner)))
        return None if found == NOBODY else found

    def grace_blocks(self) -> int:
        """Blocks from a freeze to the cut of the last epoch that may charge."""
        return int(self.contract.read("graceBlocks"))

    def bond_missing_units(self) -> int:
        """What the settler's bond balance lacks for the next posting."""
        wanted, held = self.contract.read("bondNow"), self.contract.read("bonds", self.settler)
        return max(int(wanted) - int(held), 0)

    def credit_units(self, block: int) -> int:
        """Deposits less withdrawals at a block."""
        return int(self.contract.read("creditTotal", at=block))

    def pinned_block_min(self) -> int:
        """The least block that a posting may pin now."""
        return int(self.contract.read("minPinnedBlock"))

    def attempt_min(self) -> int:
        """The least attempt that the next posting may have now."""
        return int(self.contract.read("nextAttempt"))

    def commit(self, epoch: int, answers_hash: bytes, cut_block: int) -> Call:
        """The call that commits an epoch."""
        return self._call("commitEpoch", epoch, answers_hash, cut_block)

    def post(self, posting: Posted) -> Call:
        """The call that posts a root."""
        return self._call(
            "postRoot",
            posting.from_epoch,
            posting.to_epoch,
            posting.attempt,
            posting.parent_root,
            posting.root,
            posting.earned_total_units,
            posting.charged_total_units,
            posting.pinned_block,
            posting.settlement_hash,
        )

    def activate(self) -> Call:
        """The call that makes the pending root active."""
        return self._call("activateRoot")

    def expire(self) -> Call:
        """The call that ends a dispute that the arbiter let lapse."""
        return self._call("expireDispute")

    def bind(self, owner: str, payee: str) -> Call:
        """The call that binds an owner to a payee."""
        return self._call("bindOwner", owner, payee)

    def _call(self, function: str, *arguments: object) -> Call:
        return Call(self.contract.address, self.contract.encode(function, *arguments))
