"""Commands: settle."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import JsonOption, messages, print_json, results

if TYPE_CHECKING:
    from distributary.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(settle)


def settle(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; no key is needed.")
    ] = False,
    bond: Annotated[
        bool, typer.Option("--bond", help="First top up the settler's bond in the contract.")
    ] = False,
    hold: Annotated[
        bool,
        typer.Option(
            "--hold-fail-safe", help="First shut the fail-safe, after an outage that opened it."
        ),
    ] = False,
    wait: Annotated[
        int, typer.Option(help="Longest wait for an activation delay, seconds.", min=0)
    ] = 60,
    as_json: JsonOption = False,
) -> None:
    """Settle all closed epochs: commit, compute, check, post, activate, reconcile.

    Safe to repeat and to interrupt; exit code 4 is a named stop, which docs/settlement.md
    explains.

    Example: distributary settle
    """
    from distributary.logs import configure_logs
    from distributary.settings import load_settings

    settings = load_settings()
    configure_logs(settings.log_level)
    if dry_run:
        _show_plan(settings, as_json)
        return
    from dataclasses import asdict

    from orchestration.running import deposit_bond, hold_fail_safe, open_settlement, reconcile

    with messages.status("settling"), open_settlement(settings, wait_s_max=wait) as settlement:
        if hold:
            hold_fail_safe(settlement)
        bonded = deposit_bond(settlement) if bond else 0
        report = settlement.run()
        reconcile(settings, settlement.connection)
    if as_json:
        print_json(asdict(report) | {"bonded_units": str(bonded)})
    else:
        _print(asdict(report))


def _show_plan(settings: "Settings", as_json: bool) -> None:
    from orchestration.running import plan

    planned = plan(settings)
    if as_json:
        print_json(planned)
        return
    for name, value in planned.items():
        results.print(f"{name}: {value if value not in ([], None, '') else '-'}", markup=False)


def _print(report: dict[str, Any]) -> None:
    waiting = report.pop("waiting")
    done = {name: values for name, values in report.items() if values}
    for name, values in done.items():
        results.print(f"{name}: {', '.join(map(str, values))}", markup=False)
    if not done:
        results.print("Nothing to settle." if not waiting else "Nothing done.")
    if waiting:
        told = ", ".join(f"{name} {value}" for name, value in waiting.items())
        results.print(f"Waiting {told}; run it again then.", markup=False)
