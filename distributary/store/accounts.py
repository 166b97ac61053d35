"""Accounts in Postgres: rows that are only ever added, and the state composed from them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.accounts import AccountState, Delegation, delegation_is_valid
from distributary.errors import InputError, UnavailableError
from distributary.identity import Domain
from distributary.settings import Settings
from distributary.store import connect

Registry = Connection[TupleRow]

GRANT_UNITS_MAX = 2**128  # far above any token's supply, far below what numeric(78,0) holds
SAFE_INTEGER = 2**53 - 1


@contextmanager
def open_registry(settings: Settings, *, autocommit: bool = False) -> Iterator[Registry]:
    """Opens the registry of accounts; without `autocommit` the block is one transaction.

    Raises:
        UnavailableError: Postgres does not answer, or has no tables yet.
    """
    try:
        with connect(settings.require("postgres"), autocommit=autocommit) as connection:
            yield connection
    except psycopg.errors.UndefinedTable as error:
        raise UnavailableError(
            "The database is empty: run `distributary up`, which prepares it.", code="no_schema"
        ) from error
    except psycopg.OperationalError as error:
        raise UnavailableError("Postgres went away: see `distributary status`.") from error


@dataclass(frozen=True)
class AccountRow:
    """What the registry knows of an account; amounts in base units."""

    account: str
    created_at: datetime
    erased_at: datetime | None
    granted_units: int
    charged_units: int
    delegations: tuple[Delegation, ...]
    version: int
    digest: str | None
    deposited_units: int = 0
    withdrawn_units: int = 0
    frozen_block: int | None = None

    @property
    def credit_source(self) -> str:
        """`deposit` from the account's first deposit on; before that the operator's grants."""
        return "deposit" if self.deposited_units else "grant"

    @property
    def credit_units(self) -> int:
        """What the account may still spend; negative where charges ran ahead of the credit."""
        if self.credit_source == "deposit":
            return self.deposited_units - self.withdrawn_units - self.charged_units
        return self.granted_units - self.charged_units


_SELECT = """
select
    a.account,
    a.created_at,
    e.erased_at,
    coalesce(g.units, 0) as granted_units,
    coalesce(c.charged_units, 0) as charged_units,
    coalesce(d.delegations, '[]') as delegations,
    coalesce(p.version, 0) as version,
    p.digest,
    coalesce(i.units, 0) as deposited_units,
    coalesce(o.units, 0) as withdrawn_units,
    f.block as frozen_block
from accounts a
left join erasures e using (account)
left join account_publications p using (account)
left join account_charges c using (account)
left join lateral (
    select sum(units) as units from grants where account = a.account
) g on true
left join lateral (
    select jsonb_agg(
        jsonb_build_object('key', key, 'expires_at', expires_at, 'signature', signature)
        order by key, expires_at
    ) as delegations
    from delegations where account = a.account
) d on true
left join lateral (
    select sum(units) as units from chain_deposits where account = a.account
) i on true
left join lateral (
    select sum(units) as units from chain_withdrawals where account = a.account
) o on true
left join lateral (
    select min(block) as block from chain_freezes where account = a.account
) f on true
where %(accounts)s::text[] is null or a.account = any(%(accounts)s)
order by a.account
"""


def _row(delegations: list[dict[str, Any]], **rest: Any) -> AccountRow:
    amounts = {name: int(value) for name, value in rest.items() if name.endswith("_units")}
    return AccountRow(
        delegations=tuple(Delegation(**d) for d in delegations), **{**rest, **amounts}
    )


def read_accounts(connection: Registry, accounts: Sequence[str] | None = None) -> list[AccountRow]:
    """Reads accounts, by default all, in the order of their addresses."""
    given = None if accounts is None else list(accounts)
    with connection.cursor(row_factory=_row_factory) as cursor:
        return cursor.execute(_SELECT, {"accounts": given}).fetchall()


def _row_factory(cursor: Any) -> Any:
    names = [column.name for column in cursor.description or ()]
    return lambda values: _row(**dict(zip(names, values, strict=True)))


def add_account(connection: Registry, account: str) -> bool:
    """Registers an address.

    Returns:
        Whether it was new.
    """
    cursor = connection.execute(
        "insert into accounts (account) values (%s) on conflict do nothing", [account]
    )
    return cursor.rowcount == 1


def _require_account(connection: Registry, account: str) -> None:
    row = connection.execute(
        "select e.erased_at from accounts a left join erasures e using (account) "
        "where a.account = %s",
        [account],
    ).fetchone()
    if row is None:
        raise InputError("No such account is registered.", value=account, code="unknown_account")
    if row[0] is not None:
        raise InputError("The account has been erased.", value=account, code="account_erased")


def add_delegation(
    connection: Registry, domain: Domain, account: str, delegation: Delegation
) -> None:
    """Verifies and registers the delegation of a session key; safe to repeat.

    Raises:
        InputError: `bad_delegation`: not signed by the account for this domain;
            `unknown_account` or `account_erased`.
    """
    _require_account(connection, account)
    if not 0 < delegation.expires_at <= SAFE_INTEGER or not delegation_is_valid(
        domain, account, delegation
    ):
        raise InputError(
            "The account has not signed this delegation for this chain and contract.",
            value=delegation.key,
            code="bad_delegation",
        )
    connection.execute(
        "insert into delegations (account, key, expires_at, signature) values (%s, %s, %s, %s) "
        "on conflict do nothing",
        [account, delegation.key, delegation.expires_at, delegation.signature],
    )


def check_grant(units: int) -> None:
    """Refuses a grant that cannot be meant.

    Raises:
        InputError: not positive, or above `GRANT_UNITS_MAX`.
    """
    if not 0 < units <= GRANT_UNITS_MAX:
        raise InputError("Grant a positive number of base units, 2^128 at most.", value=units)


def add_grant(connection: Registry, account: str, units: int, note: str = "") -> None:
    """Gives an account credit, base units: the operator's gift to one that has no deposit.

    Raises:
        InputError: the units are not positive or senseless, the account is unknown or erased, or
            `has_deposit`: it pays by its deposits, and a grant would change nothing.
    """
    check_grant(units)
    _require_account(connection, account)
    row = connection.execute(
        "select exists (select from chain_deposits where account = %s)", [account]
    ).fetchone()
    if row is not None and row[0]:
        raise InputError(
            "The account has a deposit, so grants do not count: run `distributary deposit AMOUNT "
            "--for ACCOUNT`.",
            value=account,
            code="has_deposit",
        )
    connection.execute(
        "insert into grants (account, units, note) values (%s, %s, %s)", [account, units, note]
    )


def add_erasure(connection: Registry, account: str) -> bool:
    """Marks an account as erased: its keys sign no more.

    Returns:
        Whether it was not erased before.

    Raises:
        InputError: `unknown_account`.
    """
    known = connection.execute("select 1 from accounts where account = %s", [account]).fetchone()
    if known is None:
        raise InputError("No such account is registered.", value=account, code="unknown_account")
    cursor = connection.execute(
        "insert into erasures (account) values (%s) on conflict do nothing", [account]
    )
    return cursor.rowcount == 1


def answer_offsets(connection: Registry, topic_id: str) -> tuple[int, ...]:
    """Next offset by partition of the answers that `account_charges` counts."""
    rows = connection.execute(
        "select partition, next_offset from consumed join topics using (topic) where topic_id = %s",
        [topic_id],
    ).fetchall()
    offsets: dict[int, int] = dict(rows)
    return tuple(int(offsets.get(p, 0)) for p in range(max(offsets, default=-1) + 1))


def compose(row: AccountRow, answers: tuple[int, ...], now_s: int, kept_s: int) -> AccountState:
    """The state of an account as the next version.

    Args:
        row: what the registry knows.
        answers: offsets read in the same snapshot.
        now_s: Unix seconds.
        kept_s: how long an ended delegation stays, for requests admitted before its end.
    """
    live = tuple(d for d in row.delegations if d.expires_at + kept_s > now_s)
    return AccountState(
        account=row.account,
        version=row.version + 1,
        credit_units=row.credit_units,
        credit_source=row.credit_source,
        frozen=row.erased_at is not None or row.frozen_block is not None,
        delegations=() if row.erased_at is not None else live,
        answers=answers,
    )
