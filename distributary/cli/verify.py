"""Commands: verify."""

from typing import TYPE_CHECKING, Annotated

import typer

from distributary.cli.output import JsonOption, print_json, print_table, progress, results
from distributary.errors import ExitCode

if TYPE_CHECKING:
    from distributary.rewards.findings import Report
    from distributary.rewards.verify import Chain


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(verify)


def verify(
    posting: Annotated[str, typer.Argument(help="An epoch, or the path of a settlement manifest.")],
    root: Annotated[
        str, typer.Option(help="The root that the contract has; default that of tree.json.")
    ] = "",
    rpc: Annotated[
        str, typer.Option(help="URL of a node, to compare root, commits and accounts with.")
    ] = "",
    signatures: Annotated[
        str, typer.Option(help="Which are verified: all, sample (one in a hundred) or none.")
    ] = "all",
    as_json: JsonOption = False,
) -> None:
    """Recomputes a posting from Parquet and manifest alone, and compares the root.

    Needs the lake, or a copy of the files that the manifest names, and nothing else of ours.
    Ends with exit code 1 when a check fails, each failure by name.

    Example: distributary verify 3 --root 0x8f… --json
    """
    from distributary.errors import InputError
    from distributary.rewards.finding_postings import find_posting
    from distributary.rewards.manifest import load_manifest
    from distributary.rewards.signature_checks import Signatures
    from distributary.rewards.verify import verify as check
    from distributary.settings import load_settings

    if signatures not in list(Signatures):
        raise InputError("Signatures are all, sample or none.", value=signatures)
    lake, path = find_posting(load_settings().lake_path, posting)
    with progress() as display:
        task = display.add_task("", total=1)
        report = check(
            lake,
            load_manifest(path),
            root or None,
            signatures=signatures,
            chain=_reader(rpc) if rpc else None,
            on_step=lambda step, done, all_: display.update(
                task, description=step, completed=done, total=all_
            ),
        )
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


def _reader(url: str) -> "Chain":
    from orchestration.chain.client import Client
    from orchestration.chain.verifying import ChainReader

    return ChainReader(Client(url))


def _print(report: "Report") -> None:
    rows = [
        (each.name, each.looked_at, each.failed or None, "; ".join(each.examples) or None)
        for each in report.findings
    ]
    print_table(f"{report.folder}", ["check", "looked at", "failed", "first failures"], rows)
    for sentence in report.not_checked:
        results.print(f"Not checked: {sentence}.", soft_wrap=True, markup=False)
    results.print(f"Settlement manifest {report.settlement_hash}", soft_wrap=True)
    results.print(f"Root recomputed     {report.root or '-'}", soft_wrap=True)
    results.print(f"Root posted         {report.posted_root or '-'}", soft_wrap=True)
    names = ", ".join(each.name for each in report.failures)
    results.print("Everything checked holds." if report.ok else f"FAILED: {names}", soft_wrap=True)
