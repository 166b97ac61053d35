"""The `distributary` command."""

import importlib
import sys

import typer

from distributary import __version__
from distributary.cli.failures import run_in_words

# Each module has `register(app)`; all are light, and import what they need inside their commands.
GROUPS = (
    *("stack", "account", "deposit", "balance", "withdraw", "payee", "send", "tail", "datanet"),
    *("owner", "run", "epoch", "chain", "settle", "gate", "reconcile", "verify", "proof"),
    *("dispute", "statement", "funds", "trace", "demo"),
)

app = typer.Typer(
    name="distributary",
    help="Paid AI inference whose payments anyone can recompute.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Paid AI inference whose payments anyone can recompute.

    Start with `distributary up`, or `distributary demo` for the whole flow.
    """


for group in GROUPS:
    importlib.import_module(f"distributary.cli.{group}").register(app)


def main() -> None:
    """Runs the command; what is no defect of ours gives one line and its exit code."""
    sys.exit(run_in_words(app))
