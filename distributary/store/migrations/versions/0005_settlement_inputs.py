"""What a posting is computed from, what became active, and where dbt builds rewards from it."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLE = "distributary_settlement"
ROLES = (ROLE,)
ANALYST = "distributary_analyst"

RULES = (
    """
    create table settlement.splits (
        split_hash bytea primary key check (octet_length(split_hash) = 32),
        valid_from_ms int8 not null check (valid_from_ms >= 0),
        node_bp int4 not null check (node_bp >= 0),
        data_bp int4 not null check (data_bp >= 0),
        model_bp int4 not null check (model_bp >= 0),
        adapter_bp int4 not null check (adapter_bp >= 0),
        agent_bp int4 not null check (agent_bp >= 0),
        platform_bp int4 not null check (platform_bp >= 0),
        check (node_bp + data_bp + model_bp + adapter_bp + agent_bp + platform_bp = 10000)
    )
    """,
    """
    create table settlement.payouts (
        payout_hash bytea primary key check (octet_length(payout_hash) = 32),
        valid_from_epoch int4 not null unique check (valid_from_epoch >= 0),
        write_off_epochs int4 not null check (write_off_epochs > 0),
        ledger_accounts jsonb not null,
        reasons jsonb not null
    )
    """,
)

INPUTS = (
    """
    create table settlement.postings_in (
        posting_id int8 primary key check (posting_id > 0),
        from_epoch int4 not null check (from_epoch > 0),
        to_epoch int4 not null check (to_epoch >= from_epoch),
        attempt int4 not null check (attempt > 0),
        pinned_block int8 not null,
        grace_blocks int8 not null,
        previous_cut_block int8,
        manifest_hash bytea not null unique check (octet_length(manifest_hash) = 32),
        written_at timestamptz not null default now(),
        unique (from_epoch, to_epoch, attempt)
    )
    """,
    """
    create table settlement.in_epochs (
        posting_id int8 not null references settlement.postings_in,
        epoch int4 not null,
        cut_block int8 not null,
        manifest_hash bytea not null check (octet_length(manifest_hash) = 32),
        primary key (posting_id, epoch)
    )
    """,
    """
    create table settlement.in_accounts (
        posting_id int8 not null references settlement.postings_in,
        account text not null,
        deposited_units numeric(78,0) not null check (deposited_units >= 0),
        withdrawn_units numeric(78,0) not null check (withdrawn_units >= 0),
        freeze_block int8,
        primary key (posting_id, account)
    )
    """,
    """
    create table settlement.in_bindings (
        posting_id int8 not null references settlement.postings_in,
        owner text not null,
        payee text not null check (payee ~ '^0x[0-9a-f]{40}$'),
        primary key (posting_id, owner)
    )
    """,
    """
    create table settlement.in_assets (
        posting_id int8 not null references settlement.postings_in,
        role text not null check (role in ('data', 'model', 'adapter', 'agent', 'node')),
        asset text not null,
        owner text not null,
        primary key (posting_id, role, asset)
    )
    """,
    """
    create table settlement.in_active_leaves (
        posting_id int8 not null references settlement.postings_in,
        kind int2 not null check (kind in (0, 1)),
        address text not null check (address ~ '^0x[0-9a-f]{40}$'),
        cumulative_units numeric(78,0) not null check (cumulative_units >= 0),
        primary key (posting_id, kind, address)
    )
    """,
    """
    create table settlement.in_carried (
        posting_id int8 not null references settlement.postings_in,
        epoch int4 not null,
        topic_id text not null,
        partition int4 not null,
        answer_offset int8 not null,
        answered_at_ms int8 not null,
        status text not null,
        code text,
        outcome text not null,
        reason text,
        charge_units numeric(78,0) not null check (charge_units >= 0),
        stated_charge_units numeric(78,0),
        max_charge_units numeric(78,0),
        expires_at int8,
        request_topic_id text not null,
        request_partition int4 not null,
        request_offset int8 not null,
        admitted_at_ms int8 not null,
        account text not null,
        source text not null,
        id text not null,
        request_hash bytea not null check (octet_length(request_hash) = 32),
        body_hash bytea not null,
        key bytea not null,
        signature bytea not null,
        model text,
        model_version text,
        adapter text,
        agent text,
        node text,
        prompt_tokens int8,
        answer_tokens int8,
        price_hash bytea,
        split_hash bytea,
        datanet text,
        manifest_hash bytea,
        commons int8,
        method text,
        traceparent text,
        documents text[] not null,
        weights int8[] not null,
        primary key (posting_id, epoch, request_hash),
        check (cardinality(documents) = cardinality(weights))
    )
    """,
    """
    create table settlement.in_unclaimed (
        posting_id int8 not null references settlement.postings_in,
        owner text not null,
        units numeric(78,0) not null check (units >= 0),
        primary key (posting_id, owner)
    )
    """,
    """
    create table settlement.in_corrections (
        posting_id int8 not null references settlement.postings_in,
        epoch int4 not null,
        kind text not null check (kind in ('refund', 'reversal', 'verdict')),
        request_hash bytea not null check (octet_length(request_hash) = 32),
        account text not null,
        payee text not null,
        units numeric(78,0) not null check (units >= 0),
        reason text not null,
        primary key (posting_id, epoch, kind, request_hash)
    )
    """,
    """
    create table settlement.posted_leaves (
        posting_id int8 not null references settlement.postings_in,
        kind int2 not null check (kind in (0, 1)),
        address text not null check (address ~ '^0x[0-9a-f]{40}$'),
        cumulative_units numeric(78,0) not null check (cumulative_units >= 0),
        primary key (posting_id, kind, address)
    )
    """,
)

TABLES = (
    *("splits", "payouts", "postings_in", "in_epochs", "in_accounts", "in_bindings", "in_assets"),
    *("in_active_leaves", "in_carried", "in_unclaimed", "in_corrections", "posted_leaves"),
)

GUARDS = (
    *(
        f"""
        create trigger {table}_are_final before update or delete or truncate
        on settlement.{table} for each statement execute function refuse_event_change()
        """
        for table in TABLES
    ),
    # Active leaves never shrink and none is left out, whoever writes them.
    """
    create function settlement.refuse_shrunk_leaves() returns trigger language plpgsql as $$
    declare
        earlier int8;
        bad text;
    begin
        if (select count(distinct posting_id) from added) <> 1 then
            raise exception 'leaves of one posting at a time' using errcode = 'restrict_violation';
        end if;
        select max(posting_id) into earlier from settlement.posted_leaves
        where posting_id < (select min(posting_id) from added);
        select coalesce(p.address, 'another posting') into bad
        from settlement.posted_leaves p left join added a using (kind, address)
        where p.posting_id = earlier
            and (a.address is null or a.cumulative_units < p.cumulative_units)
        limit 1;
        if bad is not null then
            raise exception 'the leaf of % would shrink', bad using errcode = 'restrict_violation';
        end if;
        if exists (
            select from settlement.posted_leaves p, added a where p.posting_id > a.posting_id
        ) then
            raise exception 'a later posting is active' using errcode = 'restrict_violation';
        end if;
        return null;
    end
    $$
    """,
    """
    create trigger posted_leaves_only_grow after insert on settlement.posted_leaves
    referencing new table as added
    for each statement execute function settlement.refuse_shrunk_leaves()
    """,
)

# What is left of an account's credit after whole charges in order; one that does not fit leaves
# it as it is. As a window aggregate it is read row by row, in one pass over sorted charges.
FUNCTIONS = (
    """
    create function settlement.credit_after(left_units numeric, available numeric, units numeric)
    returns numeric language sql immutable parallel safe as $$
        select coalesce(left_units, available)
            - case when units <= coalesce(left_units, available) then units else 0 end
    $$
    """,
    """
    create aggregate settlement.credit_left(available numeric, units numeric) (
        sfunc = settlement.credit_after, stype = numeric, parallel = safe
    )
    """,
)

READ = (
    *("answers", "attributions", "documents", "owners", "payee_bindings", "epochs", "topics"),
    *("epoch_files", "epoch_ranges", "lake_files", "quarantine", "assets"),
    *("chain_contract", "chain_blocks", "chain_events", "chain_progress"),
    *("chain_deposits", "chain_withdrawals", "chain_freezes", "chain_bindings"),
    *("chain_recipients", "chain_epochs", "chain_roots", "chain_claims"),
)

GRANTS = (
    f"""
    do $$ begin create role {ROLE} nologin;
    exception when duplicate_object or unique_violation then null; end $$
    """,
    f"grant usage on schema settlement to {ROLE}, {ANALYST}",
    f"grant insert, select on all tables in schema settlement to {ROLE}",
    f"grant select on all tables in schema settlement to {ANALYST}",
    f"grant select on {', '.join(READ)} to {ROLE}",
    f"grant usage, create on schema rewards to {ROLE}",
    f"grant usage on schema rewards to {ANALYST}",
    f"grant usage, create on schema reports to {ANALYST}",
    # Analysts may compare what they built with what was settled.
    f"""
    alter default privileges for role {ROLE} in schema rewards grant select on tables to {ANALYST}
    """,
)


def upgrade() -> None:
    """Makes the schemas, the tables with what dbt must have, and the roles' grants."""
    for schema in ("settlement", "rewards", "reports"):
        op.execute(f"create schema {schema}")
    for statement in (*RULES, *INPUTS, *GUARDS, *FUNCTIONS, *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    """Drops the schemas with all that they hold; roles stay, as other databases may use them."""
    for schema in ("reports", "rewards", "settlement"):
        op.execute(f"drop schema {schema} cascade")
