"""Commands: funds."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import JsonOption, print_fields, print_json, print_table, progress

if TYPE_CHECKING:
    from distributary.rewards.opened import ComputedPosting


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(funds)


def funds(
    request: Annotated[str, typer.Argument(help="A request hash.")] = "",
    payee: Annotated[str, typer.Option(help="Show what an address earned, from whom.")] = "",
    posting: Annotated[
        str, typer.Option(help="For --payee: an epoch or manifest; default the last posting.")
    ] = "",
    most: Annotated[int, typer.Option(help="For --payee: how many requests to name.", min=1)] = 20,
    as_json: JsonOption = False,
) -> None:
    """Shows where the money of a request went, or which requests make up what a payee earned.

    Amounts are exact: a request's units in all lines sum to its charge.

    Example: distributary funds 3f9c… --json
    """
    from distributary.errors import InputError

    if bool(request) == bool(payee):
        raise InputError("Give a request hash, or --payee ADDRESS.")
    with progress() as display:
        display.add_task("computing the posting", total=None)
        found = _of_request(request) if request else _of_payee(payee, posting, most)
    if as_json:
        print_json(found)
    elif request:
        _print_request(found)
    else:
        _print_payee(found)


def _of_request(request: str) -> dict[str, Any]:
    from distributary.rewards.funds import find_charge, funds_of_request
    from distributary.rewards.manifest import load_manifest
    from distributary.rewards.opened import compute_opened
    from distributary.settings import load_settings

    lake = load_settings().lake_path
    path, _ = find_charge(lake, request.removeprefix("0x").lower())
    opened = compute_opened(lake, load_manifest(path))
    found = funds_of_request(opened, request.removeprefix("0x").lower())
    return found | {"claims": _claims(opened, {line["payee"] for line in found["lines"]})}


def _of_payee(payee: str, posting: str, most: int) -> dict[str, Any]:
    from distributary.identity import parse_address
    from distributary.rewards.finding_postings import find_posting, last_posting
    from distributary.rewards.funds import funds_of_payee
    from distributary.rewards.manifest import load_manifest
    from distributary.rewards.opened import compute_opened
    from distributary.settings import load_settings

    address = parse_address(payee)
    lake = load_settings().lake_path
    lake, path = find_posting(lake, posting) if posting else (lake, last_posting(lake))
    opened = compute_opened(lake, load_manifest(path))
    found = funds_of_payee(opened, address, most)
    return found | {"claims": _claims(opened, {address})}


def _claims(opened: "ComputedPosting", payees: set[str | None]) -> list[dict[str, Any]] | None:
    """The claims that paid these payees, as the indexer saw them; None without a database."""
    from distributary.rewards.funds import claims_that_paid, earned_leaves
    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.store.claims import claims_of

    settings = load_settings()
    if not settings.postgres:
        return None
    with connect(settings.postgres) as connection:
        leaves = earned_leaves(opened, filter(None, payees))
        return claims_that_paid(leaves, claims_of(connection, sorted(leaves)))


def _print_request(found: dict[str, Any]) -> None:
    lines, claims = found.pop("lines"), found.pop("claims")
    print_fields("Charge", found)
    columns = ["role", "asset", "owner", "payee", "units", "line_units", "reason"]
    print_table(
        "Where it went, base units",
        [*columns[:4], "of this request", "whole line", "reason"],
        [[line[name] for name in columns] for line in lines],
    )
    _print_claims(claims)


def _print_payee(found: dict[str, Any]) -> None:
    lines, requests, claims = found.pop("lines"), found.pop("from"), found.pop("claims")
    print_fields("Earned", found)
    columns = ["epoch", "role", "asset", "owner", "units"]
    print_table("Lines", columns, [[line[name] for name in columns] for line in lines])
    print_table(
        "From these requests, base units",
        ["request hash", "account", "units"],
        [tuple(each.values()) for each in requests],
    )
    _print_claims(claims)


def _print_claims(claims: list[dict[str, Any]] | None) -> None:
    if claims is not None:
        columns = ["payee", "units", "block", "transaction"]
        rows = [[claim[name] for name in columns] for claim in claims]
        print_table("Claimed by", columns, rows)
