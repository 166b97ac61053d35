"""What the indexer has read of the chain: blocks, events, and views of what money needs."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROLES = ("distributary_indexer",)
READERS = "distributary_publisher, distributary_attribution, distributary_analyst"

TABLES = (
    # One row, made by the first process that meets the contract, and never changed.
    """
    create table chain_contract (
        singleton boolean primary key default true check (singleton),
        chain_id int8 not null check (chain_id > 0),
        contract text not null check (contract ~ '^0x[0-9a-f]{40}$'),
        token text not null check (token ~ '^0x[0-9a-f]{40}$'),
        deployed_block int8 not null check (deployed_block >= 0),
        code_hash bytea not null check (octet_length(code_hash) = 32)
    )
    """,
    # Every block after the finalized one; before it those with events, and the ends of ranges.
    """
    create table chain_blocks (
        number int8 primary key check (number >= 0),
        hash bytea not null check (octet_length(hash) = 32),
        parent_hash bytea not null check (octet_length(parent_hash) = 32),
        at_s int8 not null
    )
    """,
    """
    create table chain_events (
        block int8 not null references chain_blocks on delete cascade,
        log_index int4 not null check (log_index >= 0),
        transaction_hash bytea not null check (octet_length(transaction_hash) = 32),
        event text not null,
        account text check (account ~ '^0x[0-9a-f]{40}$'),
        units numeric(78,0) check (units >= 0),
        data jsonb not null,
        primary key (block, log_index)
    )
    """,
    "create index chain_events_by_account on chain_events (account, event)",
    "create index chain_events_by_event on chain_events (event, block)",
    # One row: how far the indexer is, and what the node said last.
    """
    create table chain_progress (
        singleton boolean primary key default true check (singleton),
        indexed_block int8 not null references chain_blocks,
        finalized_block int8 not null check (finalized_block <= indexed_block),
        head_block int8 not null,
        head_at_s int8 not null,
        seen_at_s int8 not null
    )
    """,
    # What earns besides documents, and who owns it.
    """
    create table assets (
        role text not null check (role in ('model', 'adapter', 'agent', 'node')),
        asset text not null check (char_length(asset) between 1 and 256),
        owner_id int8 not null references owners,
        registered_at timestamptz not null default now(),
        primary key (role, asset)
    )
    """,
)

VIEWS = {
    "chain_deposits": "select account, block, units from chain_events where event = 'Deposited'",
    "chain_withdrawals": """
        select account, block, units from chain_events
        where event in ('Withdrawn', 'FailSafeWithdrawn')
    """,
    # The first one counts: an account is frozen for good.
    "chain_freezes": """
        select account, min(block) as block from chain_events where event = 'Frozen'
        group by account
    """,
    "chain_bindings": """
        select
            data ->> 'ownerHash' as owner_hash,
            data ->> 'label' as label,
            account as payee,
            block
        from chain_events where event = 'OwnerBound'
    """,
    "chain_recipients": """
        select distinct on (account) account as payee, data ->> 'recipient' as recipient, block
        from chain_events where event = 'RecipientSet'
        order by account, block desc, log_index desc
    """,
    # A new settler's start undoes commits: the last one counts.
    "chain_epochs": """
        select distinct on (epoch)
            (data ->> 'epoch')::int8 as epoch,
            decode(substr(data ->> 'answersHash', 3), 'hex') as answers_hash,
            (data ->> 'cutBlock')::int8 as cut_block,
            block,
            transaction_hash
        from chain_events where event = 'EpochCommitted'
        order by epoch, block desc, log_index desc
    """,
    # A root that was dropped may be posted again: each posting is a row.
    "chain_roots": """
        select
            decode(substr(p.data ->> 'root', 3), 'hex') as root,
            (p.data ->> 'fromEpoch')::int8 as from_epoch,
            (p.data ->> 'toEpoch')::int8 as to_epoch,
            (p.data ->> 'attempt')::int8 as attempt,
            decode(substr(p.data ->> 'parentRoot', 3), 'hex') as parent_root,
            (p.data ->> 'earnedTotal')::numeric(78,0) as earned_total_units,
            (p.data ->> 'chargedTotal')::numeric(78,0) as charged_total_units,
            (p.data ->> 'pinnedBlock')::int8 as pinned_block,
            decode(substr(p.data ->> 'settlementHash', 3), 'hex') as settlement_hash,
            (p.data ->> 'activeAt')::int8 as active_at_s,
            p.block as posted_block,
            p.transaction_hash,
            a.block as active_block,
            d.block as dropped_block
        from chain_events p
        left join lateral (
            select min(block) as block from chain_events
            where event = 'RootActivated' and data ->> 'root' = p.data ->> 'root'
                and block >= p.block
        ) a on true
        left join lateral (
            select min(block) as block from chain_events
            where event = 'RootDropped' and data ->> 'root' = p.data ->> 'root'
                and data ->> 'attempt' = p.data ->> 'attempt' and block >= p.block
        ) d on true
        where p.event = 'RootPosted'
    """,
    "chain_claims": """
        select
            account as payee,
            data ->> 'recipient' as recipient,
            units,
            (data ->> 'cumulative')::numeric(78,0) as cumulative_units,
            block,
            transaction_hash
        from chain_events where event = 'Claimed'
    """,
}

GUARDS = (
    *(
        f"""
        create trigger {table}_is_final before update or delete or truncate on {table}
        for each statement execute function refuse_change()
        """
        for table in ("chain_contract", "assets")
    ),
    # A block leaves by a re-org, which deletes it; nothing rewrites one.
    *(
        f"""
        create trigger {table}_are_final before update or truncate on {table}
        for each statement execute function refuse_change()
        """
        for table in ("chain_blocks", "chain_events")
    ),
)

GRANTS = (
    *(
        f"""
        do $$ begin create role {role} nologin;
        exception when duplicate_object or unique_violation then null; end $$
        """
        for role in ROLES
    ),
    "grant select, insert on chain_contract to distributary_indexer",
    "grant select, insert, delete on chain_blocks, chain_events to distributary_indexer",
    "grant select, insert, update on chain_progress to distributary_indexer",
    # The totals that the contract states are held against the sums before them.
    "grant select on chain_deposits, chain_withdrawals to distributary_indexer",
    f"""
    grant select on chain_contract, chain_blocks, chain_events, chain_progress, assets,
        {", ".join(VIEWS)}
    to {READERS}
    """,
)

MADE = ("chain_progress", "chain_events", "chain_blocks", "chain_contract", "assets")


def upgrade() -> None:
    """Makes the tables and views."""
    for statement in TABLES:
        op.execute(statement)
    for name, select in VIEWS.items():
        op.execute(f"create view {name} as {select}")
    for statement in (*GUARDS, *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    """Drops them; the indexer reads the chain again."""
    for name in VIEWS:
        op.execute(f"drop view {name}")
    for table in MADE:
        op.execute(f"drop table {table}")
