"""Commands: payee set-recipient, claim."""

from typing import Annotated, Any

import typer

from distributary.cli.deposit import PayerOption
from distributary.cli.output import JsonOption, messages, print_fields, print_json, print_table
from distributary.cli.withdraw import TreeOption

group = typer.Typer(name="payee", help="Payees: where their money goes.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.add_typer(group)
    app.command()(claim)


@group.command("set-recipient")
def set_recipient(
    address: Annotated[str, typer.Argument(help="0x and 40 hex digits, or a local name.")],
    account: PayerOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send what an address claims or withdraws to another one from now on.

    Example: distributary payee set-recipient 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
    """
    from distributary import keys
    from distributary.enrolment import resolve_account
    from distributary.settings import load_settings
    from orchestration.chain import money

    settings = load_settings()
    recipient = resolve_account(settings, address)
    key = keys.load_account_key(settings.home, account or keys.only_name(settings.home))
    bank = money.open_bank(settings)
    with messages.status("sending"):
        receipt = money.set_recipient(bank, bank.sender(key.private_key), recipient)
    shown = {
        "payee": key.address,
        "recipient": recipient,
        "block": receipt.block,
        "transaction": receipt.transaction_hash,
    }
    if as_json:
        print_json(shown)
    else:
        print_fields("Recipient set", shown)


def claim(
    payees: Annotated[
        list[str] | None,
        typer.Argument(
            help="Local names or addresses; default: the local accounts.", metavar="PAYEE…"
        ),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="For every payee of the active root.")
    ] = False,
    account: PayerOption = "",
    tree: TreeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Claim what payees earned by the active root; anybody may, the money goes to the payees.

    Example: distributary claim 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 --account alice
    """
    from distributary import keys
    from distributary.enrolment import resolve_account
    from distributary.settings import load_settings
    from orchestration.chain import money
    from orchestration.chain.proofs import tree_file, trees_in

    settings = load_settings()
    key = keys.load_account_key(settings.home, account or keys.only_name(settings.home))
    wanted = payees or keys.account_names(settings.home)
    chosen = [resolve_account(settings, payee) for payee in wanted]
    bank = money.open_bank(settings)
    tree_of = tree_file(tree) if tree else trees_in(settings.lake_path)
    if not payees and not everybody:
        chosen = money.with_leaves(bank, chosen, tree_of)
    with messages.status("claiming"):
        done = money.claim(
            bank, bank.sender(key.private_key), None if everybody else chosen, tree_of
        )
    rows = [
        _row(event, receipt.transaction_hash)
        for receipt, events in done
        for event in events
        if event.event in ("Claimed", "ClaimSkipped")
    ]
    if as_json:
        print_json(rows)
        return
    title = "Claimed" if rows else "Nothing new to claim"
    print_table(title, ("payee", "recipient", "units", "skipped", "transaction"), [
        tuple(row.values()) for row in rows
    ])  # fmt: skip


def _row(event: Any, transaction: str) -> dict[str, Any]:
    return {
        "payee": event.account,
        "recipient": event.data.get("recipient"),
        "claimed_units": None if event.units is None else str(event.units),
        "skipped": event.data.get("reason"),
        "transaction": transaction,
    }
