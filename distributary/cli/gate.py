"""Commands: gate."""

from typing import Annotated

import typer

from distributary.cli.output import JsonOption, messages, print_json, print_table, results


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(gate)


def gate(
    epoch: Annotated[int, typer.Argument(help="An epoch that a posting covers.")],
    release_by: Annotated[
        str, typer.Option(metavar="NAME", help="Let an epoch go that the gate held; who you are.")
    ] = "",
    note: Annotated[str, typer.Option(help="Why it may go, for the record.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Check the newest posting of an epoch as settlement does; exit code 4 where it stops.

    Example: distributary gate 3
    """
    from distributary.errors import ExitCode
    from distributary.settings import load_settings
    from distributary.store import connect
    from orchestration.gate.running import check_epoch, release_epoch

    settings = load_settings()
    with connect(settings.require("postgres"), autocommit=True) as connection:
        if release_by:
            release_epoch(connection, epoch, release_by, note)
            results.print(
                f"Epoch {epoch} is let go by {release_by}: run `distributary settle`.", markup=False
            )
            return
        with messages.status("checking"):
            found = check_epoch(settings, connection, epoch)
    if as_json:
        print_json(found.described())
    else:
        print_table(
            f"Gate of posting {found.posting_id}",
            ["suite", "expectation", "severity", "passed", "found"],
            [tuple(each) for each in found.checks],
        )
        results.print(f"Data Docs: {found.docs}", markup=False, soft_wrap=True)
    if found.verdict != "passed":
        raise typer.Exit(ExitCode.UNAVAILABLE)
