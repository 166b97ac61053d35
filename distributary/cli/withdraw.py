"""Commands: freeze, withdraw."""

from pathlib import Path
from typing import Annotated

import typer

from distributary.cli.deposit import PayerOption
from distributary.cli.output import JsonOption, messages, print_fields, print_json

TreeOption = Annotated[
    Path | None,
    typer.Option(
        "--tree",
        help="The active root's tree.json; default: looked up in the lake.",
        metavar="FILE",
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(freeze)
    app.command()(withdraw)


def freeze(
    account: PayerOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Freeze an account for good: its requests are refused, and what is left can be withdrawn.

    Example: distributary freeze --account alice --yes
    """
    from distributary import keys
    from distributary.settings import load_settings
    from orchestration.chain import money

    settings = load_settings()
    name = account or keys.only_name(settings.home)
    key = keys.load_account_key(settings.home, name)
    if not yes:
        typer.confirm(f"Freeze {key.address} for ever?", abort=True, err=True)
    bank = money.open_bank(settings)
    with messages.status("freezing"):
        receipt = money.freeze(bank, bank.sender(key.private_key))
    shown = {
        "account": key.address,
        "frozen_block": receipt.block,
        "grace_blocks": int(bank.contract.read("graceBlocks")),
        "transaction": receipt.transaction_hash,
    }
    _show("Frozen", shown, as_json)


def withdraw(
    account: PayerOption = "",
    tree: TreeOption = None,
    fail_safe: Annotated[
        bool,
        typer.Option("--fail-safe", help="From the last active root, when no later one comes."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Withdraw what a frozen account has not been charged.

    It takes an active root that covers answers up to the grace period after the freeze; if none
    comes for the stated time, `--fail-safe` works without one, and freezes by itself.

    Example: distributary withdraw --account alice
    """
    from distributary import keys
    from distributary.settings import load_settings
    from orchestration.chain import money
    from orchestration.chain.proofs import tree_file, trees_in

    settings = load_settings()
    key = keys.load_account_key(settings.home, account or keys.only_name(settings.home))
    bank = money.open_bank(settings)
    tree_of = tree_file(tree) if tree else trees_in(settings.lake_path)
    take = money.withdraw_fail_safe if fail_safe else money.withdraw
    with messages.status("withdrawing"):
        receipt, event = take(bank, bank.sender(key.private_key), tree_of)
    shown = {
        "account": key.address,
        "withdrawn_units": str(event.units),
        "recipient": event.data.get("recipient") or bank.contract.read("recipientOf", key.address),
        "block": receipt.block,
        "transaction": receipt.transaction_hash,
        "gas_used": receipt.gas_used,
    }
    _show("Withdrawn", shown, as_json)


def _show(title: str, shown: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        print_fields(title, shown)
