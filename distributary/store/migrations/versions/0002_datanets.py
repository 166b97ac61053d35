"""Owners and their payees, documents and their shingles, datanets and their manifests."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table owners (
        owner_id int8 generated always as identity primary key,
        label text not null unique check (char_length(label) between 1 and 200),
        registered_at timestamptz not null default now()
    )
    """,
    """
    create table payee_bindings (
        owner_id int8 primary key references owners,
        payee text not null check (payee ~ '^0x[0-9a-f]{40}$'),
        bound_at timestamptz not null default now()
    )
    """,
    """
    create table documents (
        document_id int8 generated always as identity primary key,
        document text not null unique check (document ~ '^[0-9a-f]{64}$'),
        owner_id int8 not null references owners,
        bytes int8 not null check (bytes > 0),
        title text not null,
        registered_at timestamptz not null default now()
    )
    """,
    # Looked up for each shingle of each new document, so nothing but the key is indexed, and no
    # foreign key is checked: rows are written in the transaction that writes their document.
    """
    create table shingles (
        shingle int8 primary key,
        document_id int8 not null,
        position int4 not null check (position >= 0)
    )
    """,
    """
    create table datanets (
        name text primary key check (name ~ '^[a-z0-9-]{1,63}$'),
        made_at timestamptz not null default now()
    )
    """,
    """
    create table datanet_documents (
        name text not null references datanets on delete cascade,
        document_id int8 not null references documents,
        licence text not null check (char_length(licence) between 1 and 200),
        added_at timestamptz not null default now(),
        primary key (name, document_id)
    )
    """,
    """
    create table manifests (
        manifest text primary key check (manifest ~ '^[0-9a-f]{64}$'),
        name text not null,
        documents int8 not null check (documents >= 0),
        bytes int8 not null check (bytes >= 0),
        built_at timestamptz not null default now()
    )
    """,
    # Who owns a content, and where an owner's money goes, is decided once.
    """
    create function refuse_change() returns trigger language plpgsql as $$
    begin
        raise exception '% rows are never changed or deleted', tg_table_name;
    end
    $$
    """,
    *(
        f"""
        create trigger {table}_are_final before update or delete or truncate on {table}
        for each statement execute function refuse_change()
        """
        for table in ("owners", "payee_bindings", "documents", "shingles", "manifests")
    ),
)

TABLES = (
    "manifests",
    "datanet_documents",
    "datanets",
    "shingles",
    "documents",
    "payee_bindings",
    "owners",
)


def upgrade() -> None:
    """Makes the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drops the tables with all that they hold."""
    for table in TABLES:
        op.execute(f"drop table {table}")
    op.execute("drop function refuse_change()")
