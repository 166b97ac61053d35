"""Commands: dispute."""

from typing import Annotated

import typer

from distributary.cli.deposit import PayerOption
from distributary.cli.output import JsonOption, messages, print_fields, print_json


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(dispute)


def dispute(
    epoch: Annotated[int, typer.Argument(help="First epoch of the root.", metavar="EPOCH", min=0)],
    attempt: Annotated[int, typer.Argument(help="Its attempt.", metavar="ATTEMPT", min=1)],
    account: PayerOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Dispute the pending root that `distributary verify` found false, against a bond.

    Who disputes a root that is right loses the bond; the arbiter decides.

    Example: distributary dispute 7 1 --account alice
    """
    from datetime import UTC, datetime

    from distributary import keys
    from distributary.amounts import in_tokens
    from distributary.settings import load_settings
    from orchestration.chain import disputes, money

    settings = load_settings()
    key = keys.load_account_key(settings.home, account or keys.only_name(settings.home))
    bank = money.open_bank(settings)
    root = disputes.pending_root(bank, epoch, attempt)
    bond = in_tokens(int(bank.contract.read("bondNow")), int(bank.token.read("decimals")))
    if not yes:
        typer.confirm(f"Dispute {root} with a bond of {bond} tokens?", abort=True, err=True)
    with messages.status("disputing"):
        made = disputes.dispute(bank, bank.sender(key.private_key), epoch, attempt)
    shown = {
        "root": made.root,
        "disputer": key.address,
        "bond_units": str(made.bond_units),
        "decide_by": datetime.fromtimestamp(made.decide_by_s, UTC).isoformat(),
        "block": made.receipt.block,
        "transaction": made.receipt.transaction_hash,
    }
    if as_json:
        print_json(shown)
    else:
        print_fields("Disputed", shown)
