"""Transactions in Postgres: moved by compare-and-set, never changed otherwise."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import Connection, OperationalError
from psycopg.rows import TupleRow, class_row

from distributary.store.places import take_place
from orchestration.settlement.fees import Fees
from orchestration.settlement.node import Receipt
from orchestration.settlement.signer import Signed
from orchestration.settlement.stops import StopError

# Any number that nothing else in this database takes an advisory lock on.
SETTLER_LOCK: Final = 7_310_006


@dataclass(frozen=True, slots=True)
class Stored:
    """A transaction as it is stored: the bytes, their fees, and what became of them.

    Attributes:
        transaction_id: of the row.
        nonce: shared by all bumps.
        bump: 0 for the first offer.
        purpose: what it does, such as `commit:7`; the same for all bumps.
        hash: of the signed bytes.
        signed: what is sent, always these bytes.
        gas_limit: most gas.
        max_fee_wei: most per unit of gas.
        tip_wei: of it to the builder.
        state: reserved, broadcast, mined, finalized, replaced or lost.
        seen_block: the head of the chain when it was reserved.
        block: where it was mined.
        block_hash: of that block.
        succeeded: whether the contract took it.
    """

    transaction_id: int
    nonce: int
    bump: int
    purpose: str
    hash: bytes
    signed: bytes = field(repr=False)
    gas_limit: int
    max_fee_wei: int
    tip_wei: int
    state: str
    seen_block: int
    block: int | None
    block_hash: bytes | None
    succeeded: bool | None

    @property
    def fees(self) -> Fees:
        """What it offers."""
        return Fees(int(self.max_fee_wei), int(self.tip_wei))


_COLUMNS: Final = """
    transaction_id, nonce, bump, purpose, hash, signed, gas_limit, max_fee_wei::numeric,
    tip_wei::numeric, state, seen_block, block, block_hash, succeeded
"""


def take_settler_lock(connection: Connection[TupleRow]) -> None:
    """Makes this connection the only settler's; the lock goes with the connection.

    All writes of settlement go through the same connection: a settler that lost the lock has
    lost its connection, so it cannot write.

    Raises:
        StopError: `settler_busy`.
    """
    connection.execute("set synchronous_commit = on")
    if not take_place(connection, SETTLER_LOCK):
        raise StopError("settler_busy")


def release_settler_lock(connection: Connection[TupleRow]) -> None:
    """Ends it now: the server notices a closed connection only a little later.

    A connection that is lost has lost the lock too.
    """
    with suppress(OperationalError):
        connection.execute("select pg_advisory_unlock(%s)", (SETTLER_LOCK,))


@dataclass(frozen=True)
class Transactions:
    """The transactions of one sender on one chain."""

    connection: Connection[TupleRow]
    chain_id: int
    sender: str

    def live(self) -> list[Stored]:
        """All rows of the nonce in flight, the newest bump first; none where none is."""
        return self._rows(
            """
            where (chain_id, sender) = (%(chain_id)s, %(sender)s)
                and state in ('reserved', 'broadcast', 'mined')
            order by bump desc
            """
        )

    def finished(self, purpose: str) -> list[Stored]:
        """The finalized transactions of a purpose, the newest first."""
        return self._rows(
            """
            where (chain_id, sender) = (%(chain_id)s, %(sender)s)
                and state = 'finalized' and purpose = %(purpose)s
            order by transaction_id desc
            """,
            purpose=purpose,
        )

    def newest_finalized(self, below: int | None = None) -> Stored | None:
        """The finalized transaction of the highest nonce, or of the highest one below another."""
        found = self._rows(
            """
            where (chain_id, sender) = (%(chain_id)s, %(sender)s) and state = 'finalized'
                and (%(below)s::int8 is null or nonce < %(below)s)
            order by nonce desc limit 1
            """,
            below=below,
        )
        return found[0] if found else None

    def decided(self, nonce: int) -> list[Stored]:
        """The finalized row of a nonce and those that it replaced, the newest bump first."""
        return self._rows(
            """
            where (chain_id, sender) = (%(chain_id)s, %(sender)s)
                and state in ('finalized', 'replaced') and nonce = %(nonce)s
            order by bump desc
            """,
            nonce=nonce,
        )

    def reserve(
        self,
        purpose: str,
        nonce: int,
        bump: int,
        signed: Signed,
        fees: Fees,
        gas_limit: int,
        seen_block: int,
    ) -> None:
        """Stores nonce, signed bytes and hash together; from now on they may be sent."""
        self.connection.execute(
            """
            insert into transactions (chain_id, sender, nonce, bump, purpose, hash, signed,
                gas_limit, max_fee_wei, tip_wei, seen_block)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                *(self.chain_id, self.sender, nonce, bump, purpose, signed.hash, signed.raw),
                *(gas_limit, fees.max_fee_wei, fees.tip_wei, seen_block),
            ),
        )

    def move(self, row: Stored, state: str) -> None:
        """Moves a row on; where it was mined is forgotten.

        Raises:
            StopError: `settler_superseded`: it is not where it was read.
        """
        self._set(row, state, "block = null, block_hash = null, succeeded = null, cost_wei = null")

    def mine(self, row: Stored, receipt: Receipt) -> None:
        """Records where a broadcast row was mined."""
        self._place(row, "mined", receipt)

    def finalize_again(self, before: Stored, winner: Stored, receipt: Receipt) -> None:
        """Records where a nonce is final after a re-org, and which of its bumps it is now."""
        with self.connection.transaction():
            if before.transaction_id != winner.transaction_id:
                self.move(before, "replaced")
            self._place(winner, "finalized", receipt)

    def finalize(self, winner: Stored) -> None:
        """Ends a nonce: the winner is final, and what it replaced is replaced, at once."""
        with self.connection.transaction():
            self._set(winner, "finalized", "moved_at = now()")
            for row in self.live():
                self.move(row, "replaced")

    def lose(self) -> None:
        """Ends a nonce that a foreign transaction took."""
        with self.connection.transaction():
            for row in self.live():
                self.move(row, "lost")

    def _rows(self, where: str, **values: Any) -> list[Stored]:
        with self.connection.cursor(row_factory=class_row(Stored)) as cursor:
            given = {"chain_id": self.chain_id, "sender": self.sender} | values
            statement = f"select {_COLUMNS} from transactions {where}"  # noqa: S608
            return cursor.execute(statement, given).fetchall()

    def _place(self, row: Stored, state: str, receipt: Receipt) -> None:
        self._set(
            row,
            state,
            """
            block = %(block)s, block_hash = %(block_hash)s, succeeded = %(succeeded)s,
            cost_wei = %(cost_wei)s
            """,
            block=receipt.block,
            block_hash=receipt.block_hash,
            succeeded=receipt.succeeded,
            cost_wei=receipt.cost_wei,
        )

    def _set(self, row: Stored, state: str, fields: str, **values: Any) -> None:
        changed = self.connection.execute(
            f"""
            update transactions set state = %(new)s, {fields}
            where transaction_id = %(id)s and state = %(old)s
            """,  # noqa: S608
            {"new": state, "old": row.state, "id": row.transaction_id} | values,
        )
        if changed.rowcount != 1:
            raise StopError("settler_superseded", value=f"transaction {row.transaction_id}")
