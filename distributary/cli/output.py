"""What all commands print with: results on stdout, progress and errors on stderr."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from distributary.errors import DistributaryError

# A pipe has no width; what reads it wants a row on one line.
PIPE_COLUMNS = 240
results = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
messages = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def print_error(error: DistributaryError) -> None:
    """One line on stderr: the code and what to do."""
    messages.print(f"[red]error[/red] [bold]{error.code}[/bold]: ", end="")
    messages.print(str(error), markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout; paths, dates and the like as text."""
    typer.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout; None shows as a dash."""
    table = Table(*(Column(c, overflow="fold") for c in columns), title=title, title_justify="left")
    for row in rows:
        table.add_row(*("-" if cell is None else Text(str(cell)) for cell in row))
    results.print(table)


def print_fields(title: str, fields: Mapping[str, Any]) -> None:
    """Names and values on stdout, each on a line of its own that can be copied whole."""
    results.print(f"[italic]{title}[/italic]")
    width = max(map(len, fields))
    for name, value in fields.items():
        shown = "-" if value is None else str(value)
        results.print(f"  {name:{width}}  {shown}", markup=False, soft_wrap=True)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on stderr, silent where stderr is not a terminal."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=messages,
        transient=True,
        disable=not messages.is_terminal,
    ) as display:
        yield display
