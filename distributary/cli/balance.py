"""Commands: balance."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import JsonOption, print_fields, print_json

if TYPE_CHECKING:
    from distributary.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(balance)


def balance(
    account: Annotated[
        str, typer.Argument(help="Local name, or address; default: the only local one.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show what an address has deposited, been charged, withdrawn, earned and claimed.

    From the chain; credit and charges that are not posted yet come from Postgres where it answers.

    Example: distributary balance alice
    """
    from distributary import keys
    from distributary.amounts import in_tokens
    from distributary.enrolment import resolve_account
    from distributary.settings import load_settings
    from orchestration.chain import money
    from orchestration.chain.proofs import trees_in

    settings = load_settings()
    address = resolve_account(settings, account or keys.only_name(settings.home))
    bank = money.open_bank(settings)
    standing = money.read_standing(bank, address, trees_in(settings.lake_path))
    shown: dict[str, Any] = {
        "account": standing.account,
        "deposited_units": str(standing.deposited_units),
        "withdrawn_units": str(standing.withdrawn_units),
        "charged_posted_units": _text(standing.charged_posted_units),
        **_booked(settings, address),
        "frozen_block": standing.frozen_block,
        "earned_units": _text(standing.earned_units),
        "claimed_units": str(standing.claimed_units),
        "recipient": standing.recipient,
        "token_units": str(standing.token_units),
        "token_decimals": int(bank.token.read("decimals")),
    }
    if as_json:
        print_json(shown)
        return
    decimals = shown.pop("token_decimals")
    for name in [name for name in shown if name.endswith("_units") and shown[name] is not None]:
        shown[name] = f"{shown[name]}  ({in_tokens(int(shown[name]), decimals)} tokens)"
    print_fields("Balance", shown)


def _text(units: int | None) -> str | None:
    return None if units is None else str(units)


def _booked(settings: "Settings", address: str) -> dict[str, Any]:
    """What our own books say; nothing where there is no database of ours."""
    from distributary.errors import UnavailableError
    from distributary.store.accounts import compose, open_registry, read_accounts

    unknown = {"charged_units": None, "credit_units": None, "credit_source": None}
    if not settings.postgres:
        return unknown
    try:
        with open_registry(settings) as connection:
            rows = read_accounts(connection, [address])
    except UnavailableError:
        return unknown
    if not rows:
        return unknown
    state = compose(rows[0], (), 0, 0)
    return {
        "charged_units": str(rows[0].charged_units),
        "credit_units": str(state.credit_units),
        "credit_source": state.credit_source,
    }
