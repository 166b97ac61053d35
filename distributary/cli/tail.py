"""Command: tail."""

from typing import TYPE_CHECKING, Annotated

import typer

from distributary.cli.output import JsonOption, results

if TYPE_CHECKING:
    from distributary.client.following import Seen

TEXT_CHARACTERS_SHOWN = 60
HASH_DIGITS_SHOWN = 12


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(tail)


def tail(
    account: Annotated[
        str | None, typer.Option(help="Of this account only: local name, or address.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(help="Of this status only: executed, replayed or refused.")
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest that Kafka holds.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("-n", "--count", min=1, help="End after so many.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Follow the answers as they come, until Ctrl-C; with --json one object per line.

    Example: distributary tail --account alice --status refused
    """
    import threading
    from itertools import islice

    from distributary.answers import Status
    from distributary.client.following import Wanted, follow
    from distributary.enrolment import resolve_account
    from distributary.settings import load_settings

    settings = load_settings()
    if status is not None and status not in tuple(Status):
        raise typer.BadParameter(f"--status is one of {', '.join(Status)}.")
    wanted = Wanted(
        account=None if account is None else resolve_account(settings, account),
        status=None if status is None else Status(status),
    )
    answers = follow(settings, wanted, threading.Event(), from_start=from_start)
    for seen in islice(answers, count):
        if as_json:
            _print_line(seen)
        else:
            _print_row(seen)


def _print_line(seen: "Seen") -> None:
    import json

    answer = {name: value for name, value in seen.answer._asdict().items() if value is not None}
    shown = vars(seen) | {"answer": answer}
    typer.echo(json.dumps(shown, ensure_ascii=False))


def _print_row(seen: "Seen") -> None:
    from datetime import UTC, datetime

    answer = seen.answer
    at = datetime.fromtimestamp(seen.at_ms / 1000, UTC).strftime("%H:%M:%S")
    said = answer.text if answer.code is None else f"{answer.code}: {answer.sentence}"
    line = (
        f"{at} {seen.partition}/{seen.offset} {answer.status:8} "
        f"{answer.request_hash[:HASH_DIGITS_SHOWN]} {answer.node or '-'} "
        f"{answer.charge_units or 0} {' '.join((said or '').split())[:TEXT_CHARACTERS_SHOWN]}"
    )
    results.print(line, markup=False, soft_wrap=True)
