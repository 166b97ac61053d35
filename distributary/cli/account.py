"""Commands: account create, authorize, grant, show, erase."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import JsonOption, print_fields, print_json, print_table

if TYPE_CHECKING:
    from distributary.store.accounts import AccountRow

Name = Annotated[str, typer.Argument(help="Local name: 1 to 63 of a-z, 0-9 and '-'.")]
Account = Annotated[str, typer.Argument(help="Local name, or address.", metavar="NAME")]
DAYS_MAX = 3_650
KEY_DIGITS_SHOWN = 12

group = typer.Typer(
    name="account", help="Customers: keys, session keys, credit.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.add_typer(group)


@group.command()
def create(
    name: Name,
    credit: Annotated[
        int, typer.Option(min=0, help="Grant this credit, base units.", metavar="UNITS")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Make an account with a session key, ready to send.

    Its keys are files that only you can read, in HOME/keys. Credit given here is the
    operator's grant; it counts until the account's first deposit, and is not settled.

    Example: distributary account create alice --credit 1000000000000000000
    """
    from distributary import keys
    from distributary.enrolment import create_account
    from distributary.settings import load_settings

    settings = load_settings()
    made = create_account(settings, name, credit)
    session = keys.load_session_key(settings.home, name)
    shown = {
        "name": name,
        "account": made.address,
        "credit_units": str(credit),
        "credit_source": "grant",
        "session_key": session.key,
        "session_expires_at": session.expires_at,
        "key_file": str(keys.account_file(settings.home, name)),
    }
    _print_fields(f"Account {name}", shown, as_json)


@group.command()
def authorize(
    name: Name,
    days: Annotated[
        int, typer.Option(min=1, max=DAYS_MAX, help="How long it signs, days.", metavar="N")
    ] = 365,
    as_json: JsonOption = False,
) -> None:
    """Delegate a new session key and use it from now on.

    The key before it stays valid until its own end.

    Example: distributary account authorize alice --days 30
    """
    from distributary import enrolment
    from distributary.settings import DAY_S, load_settings

    session = enrolment.authorize(load_settings(), name, days * DAY_S)
    shown = {
        "name": name,
        "account": session.account,
        "session_key": session.key,
        "session_expires_at": session.expires_at,
    }
    _print_fields(f"Account {name}", shown, as_json)


@group.command()
def grant(
    name: Account,
    units: Annotated[int, typer.Argument(min=1, help="Base units.")],
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Give an account without a deposit credit, as the operator; it is not settled.

    Example: distributary account grant alice 1000000000000000000 --note "trial"
    """
    from distributary import enrolment
    from distributary.settings import load_settings

    settings = load_settings()
    account = enrolment.resolve_account(settings, name)
    enrolment.grant(settings, account, units, note)
    shown = {"account": account, "granted_units": str(units), "credit_source": "grant"}
    _print_fields("Granted", shown, as_json)


@group.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="Local name, or address; without it, all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show accounts: credit, charges, session keys.

    Example: distributary account show alice
    """
    from distributary import enrolment, keys
    from distributary.errors import InputError
    from distributary.settings import load_settings
    from distributary.store.accounts import open_registry, read_accounts

    settings = load_settings()
    wanted = None if name is None else [enrolment.resolve_account(settings, name)]
    with open_registry(settings) as connection:
        rows = read_accounts(connection, wanted)
    if wanted and not rows:
        raise InputError("No such account is registered.", value=name, code="unknown_account")
    names = {
        enrolment.resolve_account(settings, local): local
        for local in keys.account_names(settings.home)
    }
    shown = [_described(row, names.get(row.account)) for row in rows]
    if as_json:
        print_json(shown)
        return
    print_table(
        "Accounts",
        ("name", "account", "credit", "by", "charged", "session keys", "frozen", "erased"),
        [
            (
                row["name"],
                row["account"],
                row["credit_units"],
                row["credit_source"],
                row["charged_units"],
                " ".join(d["key"][:KEY_DIGITS_SHOWN] for d in row["delegations"]),
                row["frozen_block"],
                row["erased_at"],
            )
            for row in shown
        ],
    )


def _described(row: "AccountRow", name: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "account": row.account,
        "credit_units": str(row.credit_units),
        "credit_source": row.credit_source,
        "granted_units": str(row.granted_units),
        "deposited_units": str(row.deposited_units),
        "withdrawn_units": str(row.withdrawn_units),
        "frozen_block": row.frozen_block,
        "charged_units": str(row.charged_units),
        "delegations": [{"key": d.key, "expires_at": d.expires_at} for d in row.delegations],
        "created_at": row.created_at,
        "erased_at": row.erased_at,
        "version": row.version,
    }


@group.command()
def erase(
    name: Account,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End an account's keys and erase its prompts and answers from the lake.

    What was paid, and to whom, stays: it holds no text. Kafka's copy goes with its retention; then
    run this once more, for what was under way meanwhile.

    Example: distributary account erase alice --yes
    """
    from distributary import enrolment
    from distributary.settings import load_settings

    settings = load_settings()
    account = enrolment.resolve_account(settings, name)
    if not yes:
        question = f"Erase the texts of {account} for ever, and end its keys?"
        typer.confirm(question, abort=True, err=True)
    texts = enrolment.erase(settings, account)
    _print_fields("Erased", {"account": account, "texts_erased": texts}, as_json)


def _print_fields(title: str, shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        print_fields(title, shown)
