"""Commands: statement."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distributary.cli.output import JsonOption, print_json, print_table, progress, results

if TYPE_CHECKING:
    from distributary.rewards.statement import Statement

SHOWN = 10


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(statement)


def statement(
    epoch: Annotated[int, typer.Argument(help="An epoch that has a posting.")],
    csv: Annotated[Path | None, typer.Option(help="Write every entry as CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write every entry as Parquet.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write one self-contained page with plots.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Shows who paid and who earned in an epoch: by role, contributor, datanet, model and node.

    Computed anew from the posting's files; amounts are base units.

    Example: distributary statement 3 --html statement.html
    """
    from distributary.rewards.finding_postings import find_posting
    from distributary.rewards.manifest import load_manifest
    from distributary.rewards.opened import compute_opened
    from distributary.rewards.statement import make_statement
    from distributary.settings import load_settings

    lake, path = find_posting(load_settings().lake_path, str(epoch))
    with progress() as display:
        display.add_task("computing the posting", total=None)
        made = make_statement(compute_opened(lake, load_manifest(path)), epoch)
    _write(made, csv, parquet, html)
    if as_json:
        rows = made.table().to_pylist()
        print_json(vars(made) | {"pool_units": str(made.pool_units), "entries": rows})
        return
    _print(made)
    for written in filter(None, (csv, parquet, html)):
        results.print(f"Written: {written.resolve()}", soft_wrap=True)


def _write(made: "Statement", csv: Path | None, parquet: Path | None, html: Path | None) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    from distributary.rewards.page import make_page

    if csv is not None:
        pyarrow.csv.write_csv(made.table(), csv)
    if parquet is not None:
        pyarrow.parquet.write_table(made.table(), parquet)
    if html is not None:
        html.write_text(make_page(made), encoding="utf-8")


def _print(made: "Statement") -> None:
    from distributary.rewards.statement import SECTIONS, decimal

    results.print(f"Epoch {made.epoch}, pool {made.pool_units} base units, {made.posting}")
    for name, title in SECTIONS.items():
        entries = made.section(name)
        rows = [(each.name, decimal(each.units), each.entries) for each in entries[:SHOWN]]
        if len(entries) > SHOWN:
            rows.append((f"… {len(entries) - SHOWN} more: --csv FILE", "", 0))
        print_table(title, [name, "base units", "entries"], rows)
    results.print(f"Root {made.root}", soft_wrap=True)
