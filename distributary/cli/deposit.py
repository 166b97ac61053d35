"""Commands: deposit."""

from typing import Annotated

import typer

from distributary.cli.output import JsonOption, messages, print_fields, print_json

PayerOption = Annotated[
    str, typer.Option("--account", help="Local account that signs; needed where there are several.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(deposit)


def deposit(
    amount: Annotated[
        str, typer.Argument(help="Base units, or tokens: '2.5 tokens'.", metavar="AMOUNT")
    ],
    for_: Annotated[
        str,
        typer.Option("--for", help="Another's account: local name, or address.", metavar="ACCOUNT"),
    ] = "",
    account: PayerOption = "",
    as_json: JsonOption = False,
) -> None:
    """Deposit tokens for an account, which can spend them on requests or withdraw them.

    On the local chain missing tokens are minted. Returns when it is mined.

    Example: distributary deposit "2.5 tokens" --account alice
    """
    from distributary import keys
    from distributary.amounts import in_tokens, parse_amount
    from distributary.enrolment import resolve_account
    from distributary.settings import load_settings
    from orchestration.chain import money

    settings = load_settings()
    name = account or keys.only_name(settings.home)
    key = keys.load_account_key(settings.home, name)
    receiver = resolve_account(settings, for_) if for_ else key.address
    bank = money.open_bank(settings)
    decimals = int(bank.token.read("decimals"))
    units = parse_amount(amount, decimals)
    with messages.status("depositing"):
        receipt, event = money.deposit(bank, bank.sender(key.private_key), receiver, units)
    shown = {
        "account": receiver,
        "deposited_units": str(event.units),
        "deposited_tokens": in_tokens(event.units or 0, decimals),
        "total_units": event.data["total"],
        "payer": key.address,
        "block": receipt.block,
        "transaction": receipt.transaction_hash,
        "gas_used": receipt.gas_used,
    }
    if as_json:
        print_json(shown)
    else:
        print_fields("Deposited", shown)
