"""Settlement: transactions, commits of epochs and postings, each a small state machine."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROLES = ("distributary_settler",)

TABLES = (
    # A bump is a row of its own with the same nonce; any of them may be the one that is mined.
    """
    create table transactions (
        transaction_id int8 generated always as identity primary key,
        chain_id int8 not null,
        sender text not null check (sender ~ '^0x[0-9a-f]{40}$'),
        nonce int8 not null check (nonce >= 0),
        bump int4 not null check (bump >= 0),
        purpose text not null,
        hash bytea not null unique check (octet_length(hash) = 32),
        signed bytea not null check (octet_length(signed) > 0),
        gas_limit int8 not null check (gas_limit > 0),
        max_fee_wei numeric(78,0) not null check (max_fee_wei >= tip_wei),
        tip_wei numeric(78,0) not null check (tip_wei >= 0),
        state text not null default 'reserved'
            check (state in ('reserved', 'broadcast', 'mined', 'finalized', 'replaced', 'lost')),
        seen_block int8 not null,
        block int8,
        block_hash bytea check (octet_length(block_hash) = 32),
        succeeded bool,
        cost_wei numeric(78,0),
        reserved_at timestamptz not null default now(),
        moved_at timestamptz not null default now(),
        check ((state in ('mined', 'finalized')) = (block is not null)),
        check ((block is null) = (block_hash is null) and (block is null) = (succeeded is null))
    )
    """,
    # One nonce at a time: the first row of a nonce stays live until the nonce is decided.
    """
    create unique index one_nonce_in_flight on transactions (chain_id, sender)
    where bump = 0 and state in ('reserved', 'broadcast', 'mined')
    """,
    """
    create unique index one_transaction_of_a_nonce on transactions (chain_id, sender, nonce)
    where state in ('mined', 'finalized')
    """,
    """
    create unique index one_bump_of_each_number on transactions (chain_id, sender, nonce, bump)
    where state <> 'lost'
    """,
    "create index transactions_by_purpose on transactions (purpose)",
    """
    create table epoch_commits (
        epoch int4 primary key references epochs,
        answers_hash bytea not null check (octet_length(answers_hash) = 32),
        cut_block int8 not null check (cut_block >= 0),
        state text not null default 'closed' check (state in ('closed', 'committed', 'audited')),
        committed_block int8,
        check ((state = 'closed') = (committed_block is null))
    )
    """,
    """
    create table postings (
        posting_id int8 primary key,
        from_epoch int4 not null references epoch_commits,
        to_epoch int4 not null references epoch_commits,
        attempt int4 not null check (attempt > 0),
        state text not null default 'computed'
            check (state in ('computed', 'sent', 'active', 'rejected')),
        parent_root bytea not null check (octet_length(parent_root) = 32),
        root bytea not null check (octet_length(root) = 32),
        earned_total_units numeric(78,0) not null check (earned_total_units >= 0),
        charged_total_units numeric(78,0) not null
            check (charged_total_units >= earned_total_units),
        pinned_block int8 not null check (pinned_block >= 0),
        settlement_hash bytea not null check (octet_length(settlement_hash) = 32),
        leaves int8 not null check (leaves > 0),
        computed_at timestamptz not null default now(),
        sent_block int8,
        active_block int8,
        reason text,
        unique (from_epoch, attempt),
        check (to_epoch >= from_epoch),
        check ((state = 'active') = (active_block is not null)),
        check ((state = 'rejected') = (reason is not null))
    )
    """,
    """
    create unique index one_posting_in_flight on postings ((true))
    where state in ('computed', 'sent')
    """,
    # I5; a root may come twice, since a posting of empty epochs has its parent's.
    """
    create unique index one_active_posting_of_an_epoch on postings (from_epoch)
    where state = 'active'
    """,
    # What the gate held for a person, and who let it go.
    """
    create table epoch_releases (
        epoch int4 not null references epochs,
        released_by text not null check (char_length(released_by) between 1 and 200),
        note text not null check (char_length(note) between 1 and 2000),
        released_at timestamptz not null default now(),
        primary key (epoch, released_by)
    )
    """,
)

CLOSING_BEFORE = """
    create function begin_closing_epoch(given int4) returns void language plpgsql as $$
    declare
        events text;
    begin
        update epochs set state = 'closing', closed_at = now() where epoch = given;
        insert into epoch_ranges
        select given, topic, partition,
            coalesce((select max(r.to_offset) from epoch_ranges r
                where (r.topic, r.partition) = (c.topic, c.partition)), first_offset),
            next_offset
        from consumed c;
        foreach events in array array['answers', 'attributions'] loop
            execute format('create trigger closed before insert on %s_%s '
                'for each row execute function refuse_unless_open()', events, given);
        end loop;
    end
    $$
    """

# The finalized block that is read while the fence keeps answers out; epochs before have none.
CUTS = (
    "alter table epochs add column cut_block int8 check (cut_block >= 0)",
    "drop function begin_closing_epoch(int4)",
    """
    create function begin_closing_epoch(given int4, cut int8 default null)
    returns void language plpgsql as $$
    declare
        events text;
    begin
        update epochs set state = 'closing', closed_at = now(), cut_block = cut
        where epoch = given;
        insert into epoch_ranges
        select given, topic, partition,
            coalesce((select max(r.to_offset) from epoch_ranges r
                where (r.topic, r.partition) = (c.topic, c.partition)), first_offset),
            next_offset
        from consumed c;
        foreach events in array array['answers', 'attributions'] loop
            execute format('create trigger closed before insert on %s_%s '
                'for each row execute function refuse_unless_open()', events, given);
        end loop;
    end
    $$
    """,
    """
    create function refuse_cut_change() returns trigger language plpgsql as $$
    begin
        if old.state <> 'open' and old.cut_block is distinct from new.cut_block then
            raise exception 'the cut of epoch % is fixed', old.epoch
                using errcode = 'restrict_violation';
        end if;
        return new;
    end
    $$
    """,
    """
    create trigger epochs_keep_their_cut before update on epochs
    for each row execute function refuse_cut_change()
    """,
)

GUARDS = (
    """
    create function refuse_transaction_change() returns trigger language plpgsql as $$
    begin
        if tg_op <> 'UPDATE' or (old.state, new.state) not in (
                ('reserved', 'broadcast'), ('reserved', 'replaced'), ('reserved', 'lost'),
                ('broadcast', 'mined'), ('broadcast', 'replaced'), ('broadcast', 'lost'),
                ('mined', 'broadcast'), ('mined', 'finalized'),
                -- A re-org deeper than what counted as final: it is mined elsewhere, another
                -- bump is, or the nonce went to somebody else.
                ('finalized', 'finalized'), ('finalized', 'replaced'), ('replaced', 'finalized'),
                ('finalized', 'lost'))
            or (old.transaction_id, old.chain_id, old.sender, old.nonce, old.bump, old.purpose,
                old.hash, old.signed, old.gas_limit, old.max_fee_wei, old.tip_wei)
               is distinct from
               (new.transaction_id, new.chain_id, new.sender, new.nonce, new.bump, new.purpose,
                new.hash, new.signed, new.gas_limit, new.max_fee_wei, new.tip_wei)
        then
            raise exception 'transaction % cannot change from % so', old.transaction_id, old.state
                using errcode = 'restrict_violation';
        end if;
        new.moved_at := now();
        return new;
    end
    $$
    """,
    """
    create function refuse_commit_change() returns trigger language plpgsql as $$
    begin
        if tg_op <> 'UPDATE' or (old.state, new.state) not in
                (('closed', 'committed'), ('committed', 'audited'))
            or (old.epoch, old.answers_hash, old.cut_block) is distinct from
               (new.epoch, new.answers_hash, new.cut_block)
        then
            raise exception 'the commit of epoch % cannot change from % so', old.epoch, old.state
                using errcode = 'restrict_violation';
        end if;
        return new;
    end
    $$
    """,
    """
    create function refuse_posting_change() returns trigger language plpgsql as $$
    begin
        if tg_op <> 'UPDATE' or (old.state, new.state) not in
                (('computed', 'sent'), ('computed', 'rejected'), ('sent', 'active'),
                 ('sent', 'rejected'))
            or (old.posting_id, old.from_epoch, old.to_epoch, old.attempt, old.parent_root,
                old.root, old.earned_total_units, old.charged_total_units, old.pinned_block,
                old.settlement_hash, old.leaves)
               is distinct from
               (new.posting_id, new.from_epoch, new.to_epoch, new.attempt, new.parent_root,
                new.root, new.earned_total_units, new.charged_total_units, new.pinned_block,
                new.settlement_hash, new.leaves)
        then
            raise exception 'posting % cannot change from % so', old.posting_id, old.state
                using errcode = 'restrict_violation';
        end if;
        return new;
    end
    $$
    """,
    *(
        f"""
        create trigger {table}_go_forward before update or delete on {table}
        for each row execute function {function}()
        """
        for table, function in (
            ("transactions", "refuse_transaction_change"),
            ("epoch_commits", "refuse_commit_change"),
            ("postings", "refuse_posting_change"),
            ("epoch_releases", "refuse_event_change"),
        )
    ),
    *(
        f"""
        create trigger {table}_are_kept before truncate on {table}
        for each statement execute function refuse_event_change()
        """
        for table in ("transactions", "epoch_commits", "postings", "epoch_releases")
    ),
)

GRANTS = (
    """
    do $$ begin create role distributary_settler nologin;
    exception when duplicate_object or unique_violation then null; end $$
    """,
    # What dbt reads and settlement writes of a posting's inputs.
    "grant distributary_settlement to distributary_settler",
    "grant select, insert, update on transactions, epoch_commits, postings to distributary_settler",
    "grant select, insert on epoch_releases to distributary_settler",
    "grant select on transactions, epoch_commits, postings, epoch_releases to distributary_analyst",
)


def upgrade() -> None:
    """Makes the tables with their guards."""
    for statement in (*CUTS, *TABLES, *GUARDS, *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    """Drops the tables with all that they hold; roles stay, as other databases may use them."""
    for table in ("epoch_releases", "postings", "epoch_commits", "transactions"):
        op.execute(f"drop table {table}")
    for machine in ("transaction", "commit", "posting"):
        op.execute(f"drop function refuse_{machine}_change")
    op.execute("drop trigger epochs_keep_their_cut on epochs")
    op.execute("drop function refuse_cut_change")
    op.execute("drop function begin_closing_epoch")
    op.execute("alter table epochs drop column cut_block")
    op.execute(CLOSING_BEFORE)
