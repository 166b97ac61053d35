"""Commands: proof."""

from typing import Annotated

import typer

from distributary.cli.output import JsonOption, print_fields, print_json


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(proof)


def proof(
    payee: Annotated[str, typer.Argument(help="Address of a payee, or of an account.")],
    posting: Annotated[
        str, typer.Option(help="An epoch, or a settlement manifest; default the last posting.")
    ] = "",
    charged: Annotated[
        bool, typer.Option("--charged", help="The leaf of charges, which a withdrawal needs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Shows the cumulative amount of an address and its Merkle proof.

    Example: distributary proof 0x52… --json
    """
    from distributary.identity import parse_address
    from distributary.rewards.claims import load_posted_tree, make_proof
    from distributary.rewards.finding_postings import find_posting, last_posting
    from distributary.rewards.inputs import CHARGED, EARNED
    from distributary.rewards.manifest import load_manifest
    from distributary.settings import load_settings

    lake = load_settings().lake_path
    lake, path = find_posting(lake, posting) if posting else (lake, last_posting(lake))
    tree = load_posted_tree(lake, load_manifest(path))
    found = make_proof(tree, parse_address(payee), CHARGED if charged else EARNED)
    if as_json:
        print_json(found)
        return
    siblings = found.pop("proof")
    print_fields(f"Proof, {path.parent.name}", found)
    for number, sibling in enumerate(siblings):
        typer.echo(f"  proof[{number}]  {sibling}")
