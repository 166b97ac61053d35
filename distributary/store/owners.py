"""Owners in Postgres, and the payee that each is bound to."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from distributary.errors import InputError

ASSET_ROLES = ("model", "adapter", "agent", "node")


@dataclass(frozen=True)
class AssetRow:
    """What earns besides documents, who owns it, and his payee, None until bound."""

    role: str
    asset: str
    owner: str
    payee: str | None


@dataclass(frozen=True)
class OwnerRow:
    """An owner, the documents registered as his, and his payee, None until bound."""

    owner: str
    documents: int
    bytes: int
    payee: str | None


def bind_owner(connection: Connection[TupleRow], owner: str, payee: str) -> bool:
    """Binds an owner to a payee for good; False if the two were bound already.

    Args:
        connection: the caller commits.
        owner: a label.
        payee: an address in lower case.

    Raises:
        InputError: `unknown_owner`, or `already_bound` to another payee.
    """
    is_new = connection.execute(
        """
        insert into payee_bindings (owner_id, payee)
        select owner_id, %s from owners where label = %s
        on conflict do nothing
        """,
        (payee, owner),
    ).rowcount
    found = connection.execute(
        "select payee from payee_bindings join owners using (owner_id) where label = %s", (owner,)
    ).fetchone()
    if found is None:
        raise unknown_owner(owner)
    if found[0] != payee:
        raise InputError(
            f"The owner is bound to {found[0]} already, and a binding is for good.",
            value=owner,
            code="already_bound",
        )
    return is_new == 1


def assign_asset(connection: Connection[TupleRow], role: str, asset: str, owner: str) -> bool:
    """Says who owns a model, adapter, agent or node, for good; False if it was said already.

    An owner that no document names is made known by this.

    Args:
        connection: the caller commits.
        role: one of `ASSET_ROLES`.
        asset: the public name that answers carry.
        owner: a label.

    Raises:
        InputError: `unknown_role`, or `already_owned` by another.
    """
    if role not in ASSET_ROLES:
        raise InputError(
            f"An asset's role is one of {', '.join(ASSET_ROLES)}.", value=role, code="unknown_role"
        )
    connection.execute("insert into owners (label) values (%s) on conflict do nothing", (owner,))
    is_new = connection.execute(
        """
        insert into assets (role, asset, owner_id)
        select %s, %s, owner_id from owners where label = %s
        on conflict do nothing
        """,
        (role, asset, owner),
    ).rowcount
    found = connection.execute(
        "select label from assets join owners using (owner_id) where (role, asset) = (%s, %s)",
        (role, asset),
    ).fetchone()
    if found is None or found[0] != owner:
        raise InputError(
            f"The asset belongs to {found[0] if found else 'nobody'}, and that is for good.",
            value=asset,
            code="already_owned",
        )
    return is_new == 1


def list_assets(connection: Connection[TupleRow]) -> list[AssetRow]:
    """Assets other than documents, sorted by role and name."""
    with connection.cursor(row_factory=class_row(AssetRow)) as cursor:
        return cursor.execute(
            """
            select role, asset, label as owner, payee
            from assets join owners using (owner_id) left join payee_bindings using (owner_id)
            order by role, asset collate "C"
            """
        ).fetchall()


def unknown_owner(owner: str) -> InputError:
    """The error for a label that no document names."""
    return InputError(
        "There is no such owner: an owner is known from the first document on; see "
        "`distributary owner list`.",
        value=owner,
        code="unknown_owner",
    )


def list_owners(
    connection: Connection[TupleRow], datanet: str | None = None, owner: str | None = None
) -> list[OwnerRow]:
    """Owners sorted by label.

    Args:
        connection: any.
        datanet: only owners in this datanet, counting only its documents.
        owner: only this label.
    """
    with connection.cursor(row_factory=class_row(OwnerRow)) as cursor:
        return cursor.execute(
            """
            select
                label as owner,
                count(document_id) as documents,
                coalesce(sum(bytes), 0)::int8 as bytes,
                payee
            from owners
            left join documents using (owner_id)
            left join payee_bindings using (owner_id)
            where (%(owner)s::text is null or label = %(owner)s)
                and (
                    %(datanet)s::text is null
                    or document_id in (
                        select document_id from datanet_documents where name = %(datanet)s
                    )
                )
            group by label, payee
            order by label collate "C"
            """,
            {"datanet": datanet, "owner": owner},
        ).fetchall()


def owner_datanets(connection: Connection[TupleRow], owner: str) -> dict[str, int]:
    """How many documents of an owner each datanet holds, by the datanet's name."""
    rows = connection.execute(
        """
        select name, count(*)
        from datanet_documents
        join documents using (document_id)
        join owners using (owner_id)
        where label = %s
        group by name
        order by name
        """,
        (owner,),
    )
    return {row[0]: row[1] for row in rows}
