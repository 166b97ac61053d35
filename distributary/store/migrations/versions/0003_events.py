"""Answers, attributions, purchases and quarantine by epoch, and the offsets that they stand for."""

from alembic import op

from distributary.attribution.method import METHOD

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROLES = ("distributary_attribution", "distributary_publisher", "distributary_analyst")

TOPICS_AND_EPOCHS = (
    # A short key for the topic id that stands on every row.
    """
    create table topics (
        topic int2 generated always as identity primary key,
        topic_id text not null unique,
        name text not null
    )
    """,
    # Postgres alone decides where reading goes on; Kafka's committed offsets are for lag only.
    """
    create table consumed (
        topic int2 not null references topics,
        partition int4 not null,
        generation int8 not null,
        first_offset int8 not null,
        next_offset int8 not null check (next_offset >= first_offset),
        primary key (topic, partition)
    )
    """,
    """
    create table epochs (
        epoch int4 primary key check (epoch > 0),
        state text not null default 'open' check (state in ('open', 'closing', 'closed')),
        method text not null,
        opened_at timestamptz not null default now(),
        closed_at timestamptz,
        manifest_hash bytea check (octet_length(manifest_hash) = 32),
        check ((state = 'closed') = (manifest_hash is not null))
    )
    """,
    "create unique index one_open_epoch on epochs (state) where state = 'open'",
    """
    create table epoch_ranges (
        epoch int4 not null references epochs,
        topic int2 not null references topics,
        partition int4 not null,
        from_offset int8 not null,
        to_offset int8 not null check (to_offset >= from_offset),
        primary key (epoch, topic, partition)
    )
    """,
    """
    create table epoch_files (
        epoch int4 not null references epochs,
        name text not null,
        rows int8 not null,
        bytes int8 not null,
        sha256 bytea not null check (octet_length(sha256) = 32),
        digest bytea not null check (octet_length(digest) = 32),
        primary key (epoch, name)
    )
    """,
)

EVENTS = (
    """
    create table answers (
        epoch int4 not null,
        topic int2 not null,
        partition int4 not null,
        answer_offset int8 not null,
        answered_at_ms int8 not null,
        status text not null check (status in ('executed', 'replayed', 'refused')),
        code text,
        outcome text not null check (outcome in ('charged', 'uncharged', 'duplicate')),
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
        body_hash bytea not null check (octet_length(body_hash) = 32),
        key bytea not null check (octet_length(key) = 32),
        signature bytea not null check (octet_length(signature) = 64),
        model text,
        model_version text,
        adapter text,
        agent text,
        node text,
        prompt_tokens int8,
        answer_tokens int8,
        price_hash bytea check (octet_length(price_hash) = 32),
        split_hash bytea check (octet_length(split_hash) = 32),
        datanet text,
        manifest_hash bytea check (octet_length(manifest_hash) = 32),
        commons int8,
        traceparent text,
        primary key (epoch, topic, partition, answer_offset),
        check ((outcome = 'uncharged') = (reason is not null)),
        check (outcome = 'charged' or charge_units = 0)
    ) partition by list (epoch)
    """,
    # Hash indexes: their keys are random anyway, and they hold four bytes of each.
    "create index answers_by_request on answers using hash (request_hash)",
    "create index answers_by_id on answers using hash (id)",
    # The charge and its data share are carried on the row: rewards then need no join over eight
    # times the rows. Basis points stand where alignment would leave two bytes empty. The product
    # is kept as an integer of eight bytes where it is one: sums of those take a third less time.
    """
    create table attributions (
        epoch int4 not null,
        topic int2 not null,
        data_bp int2 not null check (data_bp between 0 and 10000),
        partition int4 not null,
        answer_offset int8 not null,
        document_id int8 not null,
        weight int8 not null check (weight between 1 and 1000000000),
        data_share int8 generated always as (
            case when charge_units * data_bp < 9223372036854775808
                then (charge_units * data_bp)::int8 end
        ) stored,
        charge_units numeric(78,0) not null
    ) partition by list (epoch)
    """,
    """
    create index attributions_by_answer on attributions
    using brin (partition, answer_offset) with (pages_per_range = 32)
    """,
    """
    create table purchases (
        request_hash bytea not null primary key,
        epoch int4 not null,
        topic int2 not null,
        partition int4 not null,
        answer_offset int8 not null,
        expires_at int8 not null
    ) partition by hash (request_hash)
    """,
    *(
        f"""
        create table purchases_{part} partition of purchases
        for values with (modulus 8, remainder {part})
        """
        for part in range(8)
    ),
    """
    create table quarantine (
        epoch int4 not null references epochs,
        topic int2 not null references topics,
        partition int4 not null,
        answer_offset int8 not null,
        reason text not null,
        detail text not null,
        value_bytes int8 not null,
        value_sha256 bytea not null check (octet_length(value_sha256) = 32),
        primary key (epoch, topic, partition, answer_offset)
    )
    """,
    # Readers of the lake trust this table, never a listing.
    """
    create table lake_files (
        file text primary key,
        epoch int4 not null references epochs,
        topic int2 not null references topics,
        partition int4 not null,
        from_offset int8 not null,
        to_offset int8 not null check (to_offset > from_offset),
        records int8 not null,
        rows int8 not null check (rows <= records),
        bytes int8 not null,
        sha256 bytea not null check (octet_length(sha256) = 32),
        digest bytea not null check (octet_length(digest) = 32)
    )
    """,
    "create unique index lake_files_in_order on lake_files (topic, partition, from_offset)",
    # A running sum by account; by partition as well, so that no two writers meet on a row.
    """
    create table account_charge_sums (
        account text not null,
        topic int2 not null,
        partition int4 not null,
        charged_units numeric(78,0) not null,
        primary key (account, topic, partition)
    )
    """,
    """
    create or replace view account_charges as
    select account, sum(charged_units) as charged_units from account_charge_sums group by account
    """,
)

GUARDS = (
    """
    create function refuse_event_change() returns trigger language plpgsql as $$
    begin
        raise exception 'rows of % are never changed or deleted', tg_table_name
            using errcode = 'restrict_violation';
    end
    $$
    """,
    """
    create function refuse_unless_open() returns trigger language plpgsql as $$
    begin
        if not exists (select from epochs where epoch = new.epoch and state = 'open') then
            raise exception 'epoch % is not open', new.epoch using errcode = 'restrict_violation';
        end if;
        return new;
    end
    $$
    """,
    """
    create function refuse_epoch_change() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or (old.state, new.state) not in
            (('open', 'closing'), ('closing', 'closed'))
            or (old.epoch, old.method, old.opened_at) is distinct from
               (new.epoch, new.method, new.opened_at)
        then
            raise exception 'epoch % cannot change from % so', old.epoch, old.state
                using errcode = 'restrict_violation';
        end if;
        return new;
    end
    $$
    """,
    """
    create trigger epochs_go_forward before update or delete on epochs
    for each row execute function refuse_epoch_change()
    """,
    *(
        f"""
        create trigger {table}_are_final before update or delete on {table}
        for each row execute function refuse_event_change()
        """
        for table in (
            *("answers", "attributions", "quarantine", "lake_files"),
            *("topics", "epoch_ranges", "epoch_files"),
        )
    ),
    *(
        f"""
        create trigger {table}_are_kept before truncate on {table}
        for each statement execute function refuse_event_change()
        """
        for table in (
            *("answers", "attributions", "quarantine", "lake_files", "epochs"),
            *("topics", "epoch_ranges", "epoch_files", "consumed", "purchases"),
        )
    ),
    *(
        f"""
        create trigger {table}_of_the_open_epoch before insert on {table}
        for each row execute function refuse_unless_open()
        """
        for table in ("quarantine", "lake_files")
    ),
    # A closed partition refuses rows by a trigger of its own, so an open one pays for no check.
    """
    create function open_epoch(given_method text) returns int4 language plpgsql as $$
    declare
        opened int4;
        events text;
    begin
        insert into epochs (epoch, method)
        values ((select coalesce(max(epoch), 0) + 1 from epochs), given_method)
        returning epoch into opened;
        foreach events in array array['answers', 'attributions'] loop
            execute format('create table %1$s_%2$s partition of %1$s for values in (%2$s)',
                events, opened);
            execute format('create trigger kept before truncate on %s_%s '
                'for each statement execute function refuse_event_change()', events, opened);
        end loop;
        return opened;
    end
    $$
    """,
    """
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
    """,
)

GRANTS = (
    *(
        f"""
        do $$ begin create role {role} nologin;
        exception when duplicate_object or unique_violation then null; end $$
        """
        for role in ROLES
    ),
    """
    grant insert, select on topics, answers, attributions, purchases, quarantine, lake_files
    to distributary_attribution
    """,
    "grant insert, select, update on consumed, account_charge_sums to distributary_attribution",
    "grant select on epochs, documents, delegations to distributary_attribution",
    """
    grant select on accounts, delegations, grants, erasures, account_charges, topics, consumed
    to distributary_publisher
    """,
    "grant select, insert, update on account_publications to distributary_publisher",
    """
    grant select on answers, attributions, quarantine, lake_files, topics, consumed, epochs,
        epoch_ranges, epoch_files, account_charges, documents, owners, payee_bindings, datanets,
        datanet_documents, manifests
    to distributary_analyst
    """,
)

TABLES = (
    *("account_charge_sums", "lake_files", "quarantine", "purchases", "attributions", "answers"),
    *("epoch_files", "epoch_ranges", "epochs", "consumed", "topics"),
)


def upgrade() -> None:
    """Makes the tables and opens the first epoch."""
    for statement in (*TOPICS_AND_EPOCHS, *EVENTS, *GUARDS, *GRANTS):
        op.execute(statement)
    op.execute(f"select open_epoch('{METHOD}')")


def downgrade() -> None:
    """Drops the tables with all that they hold; roles stay, as other databases may use them."""
    op.execute(
        "create or replace view account_charges as "
        "select null::text as account, null::numeric as charged_units where false"
    )
    for table in TABLES:
        op.execute(f"drop table {table}")
    for function in ("open_epoch", "begin_closing_epoch"):
        op.execute(f"drop function {function}")
    for function in ("refuse_event_change", "refuse_unless_open", "refuse_epoch_change"):
        op.execute(f"drop function {function}")
