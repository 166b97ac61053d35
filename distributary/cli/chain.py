"""Commands: index."""

from typing import TYPE_CHECKING, Annotated

import typer

from distributary.cli.output import JsonOption, messages, print_json, results

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.chain.indexer import Step


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(index)


def index(
    once: Annotated[bool, typer.Option("--once", help="End at the head.")] = False,
    rewind_finalized: Annotated[
        bool,
        typer.Option(
            "--rewind-finalized",
            help="Follow a chain that took finalized blocks back; look at it first.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Follow the contract's events into Postgres, until it is told to stop.

    A node or database that is away is waited for. What a person must look at ends it.

    Example: distributary index --once
    """
    from distributary.logs import configure_logs
    from distributary.settings import load_settings
    from orchestration.chain.running import index_forever, index_once

    settings = load_settings()
    if once:
        with messages.status("indexing") as shown:
            step = index_once(
                settings,
                may_rewind_finalized=rewind_finalized,
                seen=lambda step: shown.update(f"block {step.indexed_block} of {step.head_block}"),
            )
        _print(step, as_json)
        return
    configure_logs(settings.log_level)
    index_forever(settings, _wait(), may_rewind_finalized=rewind_finalized)


def _wait() -> "Callable[[float], bool]":
    """Waits so many seconds; True once a signal asked for the end."""
    import signal
    import threading

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop.wait


def _print(step: "Step", as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json(asdict(step))
        return
    results.print(f"Indexed up to block {step.indexed_block} of {step.head_block}.")
    if step.stale:
        messages.print("The node is stale: its head is old, or behind what it has shown.")
