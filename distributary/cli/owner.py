"""Commands: owner."""

from typing import Annotated

import typer

from distributary.cli.output import JsonOption, print_json, print_table, results

Label = Annotated[str, typer.Argument(help="The owner's label, as documents state it.")]

group = typer.Typer(
    name="owner", help="Owners of what earns, and the payee each is bound to.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.add_typer(group)


@group.command()
def bind(
    label: Label,
    address: Annotated[str, typer.Argument(help="The payee: 0x and 40 hex digits.")],
    as_json: JsonOption = False,
) -> None:
    """Bind an owner to a payee, for good: what the owner earns is paid there.

    Example: distributary owner bind "A. Author" 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
    """
    from distributary.datanets.documents import parse_owner_label
    from distributary.identity import parse_address
    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.store.owners import bind_owner

    owner, payee = parse_owner_label(label), parse_address(address)
    with connect(load_settings().require("postgres")) as connection:
        is_new = bind_owner(connection, owner, payee)
    if as_json:
        print_json({"owner": owner, "payee": payee, "new": is_new})
        return
    results.print(f"{owner} {'is' if is_new else 'was already'} bound to {payee}", markup=False)


@group.command()
def assign(
    role: Annotated[str, typer.Argument(help="model, adapter, agent or node.")],
    asset: Annotated[str, typer.Argument(help="Its public name, as answers carry it.")],
    label: Label,
    as_json: JsonOption = False,
) -> None:
    """Say who owns a model, adapter, agent or node, for good: its share is that owner's.

    Example: distributary owner assign model smollm2-135m "Model Maker"
    """
    from distributary.datanets.documents import parse_owner_label
    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.store.owners import assign_asset

    owner = parse_owner_label(label)
    with connect(load_settings().require("postgres")) as connection:
        is_new = assign_asset(connection, role, asset, owner)
    if as_json:
        print_json({"role": role, "asset": asset, "owner": owner, "new": is_new})
        return
    said = "belongs" if is_new else "belonged already"
    results.print(f"{role} {asset} {said} to {owner}", markup=False)


@group.command()
def assets(as_json: JsonOption = False) -> None:
    """List models, adapters, agents and nodes with their owners and payees.

    Example: distributary owner assets
    """
    from dataclasses import asdict

    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.store.owners import list_assets

    with connect(load_settings().require("postgres")) as connection:
        rows = [asdict(row) for row in list_assets(connection)]
    if as_json:
        print_json(rows)
        return
    columns = ("role", "asset", "owner", "payee")
    print_table("Assets", columns, [tuple(row.values()) for row in rows])


@group.command("list")
def list_(
    datanet: Annotated[str | None, typer.Option(help="Only owners in this datanet.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List owners with their documents and payees.

    Example: distributary owner list --datanet papers
    """
    from dataclasses import asdict

    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.store.owners import list_owners

    with connect(load_settings().require("postgres")) as connection:
        rows = [asdict(row) for row in list_owners(connection, datanet=datanet)]
    if as_json:
        print_json(rows)
        return
    print_table(
        "Owners",
        ("owner", "documents", "bytes", "payee"),
        [
            (row["owner"], f"{row['documents']:,}", f"{row['bytes']:,}", row["payee"])
            for row in rows
        ],
    )


@group.command()
def show(label: Label, as_json: JsonOption = False) -> None:
    """Show an owner: the payee, and the documents in each datanet.

    Example: distributary owner show "A. Author"
    """
    from dataclasses import asdict

    from distributary.datanets.documents import parse_owner_label
    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.store.owners import list_owners, owner_datanets, unknown_owner

    owner = parse_owner_label(label)
    with connect(load_settings().require("postgres")) as connection:
        found = list_owners(connection, owner=owner)
        if not found:
            raise unknown_owner(owner)
        datanets = owner_datanets(connection, owner)
    if as_json:
        print_json({**asdict(found[0]), "datanets": datanets})
        return
    payee = found[0].payee or "nobody yet: earns into `unclaimed`"
    results.print(f"{owner}: {found[0].documents:,} documents, bound to {payee}", markup=False)
    print_table("Datanets", ("datanet", "documents"), [(k, f"{v:,}") for k, v in datanets.items()])
