"""Accounts, their delegations, grants and erasures, and what was published of them."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table accounts (
        account text primary key check (account ~ '^0x[0-9a-f]{40}$'),
        created_at timestamptz not null default now()
    )
    """,
    """
    create table delegations (
        account text not null references accounts,
        key text not null check (key ~ '^[0-9a-f]{64}$'),
        expires_at int8 not null check (expires_at > 0),
        signature text not null check (signature ~ '^0x[0-9a-f]{130}$'),
        created_at timestamptz not null default now(),
        primary key (account, key, expires_at)
    )
    """,
    """
    create table grants (
        grant_id int8 generated always as identity primary key,
        account text not null references accounts,
        units numeric(78,0) not null check (units > 0),
        note text not null default '' check (char_length(note) <= 200),
        created_at timestamptz not null default now()
    )
    """,
    "create index grants_account on grants (account)",
    """
    create table erasures (
        account text primary key references accounts,
        erased_at timestamptz not null default now()
    )
    """,
    # The one table here that changes: what the publisher of accounts.state wrote last.
    """
    create table account_publications (
        account text primary key references accounts,
        version int8 not null check (version > 0),
        digest text
    )
    """,
    # Replaced, with the same columns and types, once answers are stored.
    """
    create view account_charges as
    select null::text as account, null::numeric as charged_units where false
    """,
    """
    create function refuse_account_change() returns trigger language plpgsql as $$
    begin
        raise exception '% rows are never changed or deleted', tg_table_name;
    end
    $$
    """,
    *(
        f"""
        create trigger {table}_are_final before update or delete or truncate on {table}
        for each statement execute function refuse_account_change()
        """
        for table in ("accounts", "delegations", "grants", "erasures")
    ),
)

TABLES = ("account_publications", "erasures", "grants", "delegations", "accounts")


def upgrade() -> None:
    """Makes the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drops the tables with all that they hold."""
    op.execute("drop view account_charges")
    for table in TABLES:
        op.execute(f"drop table {table}")
    op.execute("drop function refuse_account_change()")
