"""Commands: epoch."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import JsonOption, print_json, print_table, progress, results

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

    from distributary.settings import Settings

epochs = typer.Typer(no_args_is_help=True, help="Closed sets of committed answers.")


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.add_typer(epochs, name="epoch")


def _connect() -> "tuple[Settings, Connection[TupleRow]]":
    from distributary.settings import load_settings
    from distributary.store import connect

    settings = load_settings()
    return settings, connect(settings.require("postgres"), autocommit=True)


@epochs.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Lists all epochs.

    Example: distributary epoch list
    """
    from dataclasses import asdict

    from distributary.store.epochs import list_epochs

    _, connection = _connect()
    with connection:
        found = list_epochs(connection)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    print_table(
        "Epochs",
        ["epoch", "state", "method", "opened", "closed", "answers manifest"],
        [
            (e.epoch, e.state, e.method, f"{e.opened_at:%F %T}", e.closed_at, e.manifest_hash)
            for e in found
        ],
    )


@epochs.command("open")
def open_(
    method: Annotated[
        str, typer.Option(help="Method version of its weights; default the one installed.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Opens an epoch where none is open; says which one is, else.

    Closing an epoch opens the next, so this is rarely needed.

    Example: distributary epoch open
    """
    from distributary.attribution.method import METHOD
    from distributary.store.epochs import list_epochs, open_epoch
    from distributary.store.fence import hold_fence

    _, connection = _connect()
    with connection, connection.transaction():
        hold_fence(connection)
        found = [each.epoch for each in list_epochs(connection) if each.state == "open"]
        epoch = found[0] if found else open_epoch(connection, method or METHOD)
    if as_json:
        print_json({"epoch": epoch, "opened": not found})
    else:
        results.print(f"Epoch {epoch} {'was open' if found else 'is open'}.")


@epochs.command()
def close(
    epoch: Annotated[int | None, typer.Argument(help="Default: the open one.")] = None,
    method: Annotated[
        str, typer.Option(help="Method version of the next epoch; default the one installed.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Closes an epoch and opens the next; safe to repeat, and completes a close broken off.

    Example: distributary epoch close 3
    """
    from distributary.attribution.method import METHOD
    from distributary.lake.files import manifest_path
    from distributary.settings import load_settings
    from orchestration.closing import close_epoch

    settings = load_settings()
    with progress() as display:
        task = display.add_task("Closing, files of the epoch", total=None)
        closed = close_epoch(
            settings,
            epoch,
            method or METHOD,
            lambda done, files: display.update(task, completed=done, total=files),
        )
    path = manifest_path(settings.lake_path, closed.epoch)
    if as_json:
        print_json({"epoch": closed.epoch, "manifest_hash": closed.manifest_hash, "manifest": path})
    else:
        results.print(f"Epoch {closed.epoch} is closed: {path}", soft_wrap=True)
        results.print(f"Answers manifest {closed.manifest_hash}", soft_wrap=True)


@epochs.command()
def show(
    epoch: Annotated[int | None, typer.Argument(help="Default: the open one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Shows an epoch's offset ranges and how each of its records came out (invariant I1).

    Example: distributary epoch show 3 --json
    """
    from psycopg import IsolationLevel

    from distributary.epochs import describe_epoch
    from distributary.store.fence import read_open_epoch

    _, connection = _connect()
    # One snapshot: bundles go on being committed while this looks.
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    with connection, connection.transaction():
        shown = describe_epoch(
            connection, read_open_epoch(connection).epoch if epoch is None else epoch
        )
    if as_json:
        print_json(shown)
    else:
        _print_epoch(shown)


def _print_epoch(shown: dict[str, Any]) -> None:
    results.print(f"Epoch {shown['epoch']}, {shown['state']}, weights by {shown['method']}.")
    print_table(
        "Offset ranges",
        ["topic id", "partition", "from", "to"],
        [tuple(each.values()) for each in shown["ranges"]],
    )
    counts = shown["counts"]
    rows: list[tuple[str, Any, int]] = [
        (outcome, None, counts[outcome]) for outcome in ("charged", "duplicate")
    ]
    for outcome in ("uncharged", "quarantined"):
        rows += [(outcome, reason, count) for reason, count in counts[outcome].items()]
    print_table(
        "Records", ["outcome", "reason", "records"], [*rows, ("all", None, counts["records"])]
    )
    results.print(
        f"{shown['committed']} records committed, {counts['records']} booked: "
        f"{'they agree' if shown['books_agree'] else 'THEY DISAGREE'}. "
        f"Charged {shown['charged_units']} base units."
    )
    if shown["conflicts"]:
        results.print(f"{shown['conflicts']} identities were charged for several request hashes.")
