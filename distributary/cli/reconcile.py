"""Commands: reconcile."""

import typer

from distributary.cli.output import JsonOption, print_json, print_table, results


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(reconcile)


def reconcile(as_json: JsonOption = False) -> None:
    """Hold the ledger against the chain, to the unit; exit code 1 where they differ.

    Example: distributary reconcile
    """
    from dataclasses import asdict

    from distributary.errors import ExitCode
    from distributary.settings import load_settings
    from distributary.store import connect
    from orchestration.running import compare

    settings = load_settings()
    with connect(settings.require("postgres"), autocommit=True) as connection:
        block, figures = compare(settings, connection)
    differing = [each for each in figures if each.difference]
    if as_json:
        rows = [asdict(each) | {"difference": str(each.difference)} for each in figures]
        for row in rows:
            row |= {"ledger": str(row["ledger"]), "chain": str(row["chain"])}
        print_json({"block": block, "differing": len(differing), "figures": rows})
    else:
        print_table(
            f"Ledger and chain at block {block}",
            ["figure", "ledger", "chain", "difference"],
            [(each.name, each.ledger, each.chain, each.difference) for each in figures],
        )
        results.print(
            "They agree, to the unit." if not differing else f"{len(differing)} figures differ."
        )
    if differing:
        raise typer.Exit(ExitCode.FAILED)
