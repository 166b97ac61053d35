"""Commands: datanet."""

from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import (
    JsonOption,
    print_json,
    print_table,
    progress,
    results,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributary.datanets.changes import Added, Registrar
    from distributary.datanets.registering import NearCopy

Name = Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9 and '-'.")]
HASH_DIGITS_SHOWN = 12
ROWS_SHOWN_MAX = 50

group = typer.Typer(
    name="datanet",
    help="Collections of documents that answers are made from, and whose owners earn.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.add_typer(group)


@group.command()
def add(
    name: Name,
    paths: Annotated[
        list[Path],
        typer.Argument(help="Text, Markdown or JSONL files, or folders of them.", metavar="PATH…"),
    ],
    owner: Annotated[
        str, typer.Option(help="Owner of what states none; JSONL lines may.", metavar="LABEL")
    ] = "",
    licence: Annotated[
        str, typer.Option(help="Licence of what states none, best an SPDX name.", metavar="L")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Add documents, all of them or, when one is refused, none.

    The first to register a content owns it. What is in substance a copy of others' documents is
    left out, and listed with its originals. A JSONL line has the fields text, owner, licence and
    maybe title. Repeating the command is safe, and finishes one that was interrupted.

    Example: distributary datanet add papers notes.md corpus/ --owner "A. Author" --licence MIT
    """
    from distributary.datanets.documents import parse_datanet_name
    from distributary.datanets.reading import Defaults, read_all

    parse_datanet_name(name)
    with progress() as display:
        display.add_task("Reading documents", total=None)
        documents = read_all(paths, Defaults(owner, licence))
    with _registrar(len(documents)) as registrar:
        added = registrar.add_documents(name, documents)
    if as_json:
        print_json({"datanet": name, **asdict(added)})
        return
    _print_added(name, added)


@contextmanager
def _registrar(documents: int) -> "Iterator[Registrar]":
    """The registrar, with a progress bar for each thing it does."""
    from distributary.datanets.opening import open_registrar
    from distributary.settings import load_settings

    with progress() as display:
        tasks = [display.add_task("Opening the registry", total=None)]

        def on_fetch(_server: str, what: str, share: float | None) -> None:
            percent = None if share is None else int(share * 100)
            display.update(tasks[-1], description=what, total=100, completed=percent)

        def on_step(step: str) -> None:
            display.remove_task(tasks.pop())
            total = documents if step.startswith("Storing") else None
            tasks.append(display.add_task(step, total=total))

        with open_registrar(
            load_settings(), on_fetch, lambda: display.advance(tasks[-1]), on_step
        ) as registrar:
            yield registrar


def _print_added(name: str, added: "Added") -> None:
    results.print(
        f"datanet {name}: {added.added:,} added, {added.already_there:,} already there, "
        f"{len(added.owned_by_others):,} owned by somebody else, "
        f"{len(added.near_copies):,} near copies; {added.documents:,} documents now"
    )
    results.print(f"manifest {added.manifest}")
    if added.owned_by_others:
        print_table(
            "Left out: somebody else registered this content first",
            ("document", "owner", "given as"),
            [
                (document[:HASH_DIGITS_SHOWN], owner, given)
                for document, owner, given in added.owned_by_others[:ROWS_SHOWN_MAX]
            ],
        )
    if added.near_copies:
        print_table(
            "Left out: in substance earlier documents of other owners",
            ("document", "title", "given as", "found", "original", "its owner"),
            [
                (
                    copy.document[:HASH_DIGITS_SHOWN],
                    copy.title or None,
                    copy.owner,
                    f"{copy.percent} %",
                    *_originals(copy),
                )
                for copy in added.near_copies[:ROWS_SHOWN_MAX]
            ],
        )


def _originals(copy: "NearCopy") -> tuple[str, str]:
    """The first original, of which most was taken, its owner, and how many others there are."""
    document, owner = copy.originals[0]
    others = len(copy.originals) - 1
    return document[:HASH_DIGITS_SHOWN] + (f" and {others} more" if others else ""), owner


@group.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all datanets.

    Example: distributary datanet list --json
    """
    from distributary.datanets.manifests import read_pointer
    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.store.datanets import list_datanets

    settings = load_settings()
    with connect(settings.require("postgres")) as connection:
        rows = [
            {**asdict(row), "manifest": read_pointer(settings.lake_path, row.name)}
            for row in list_datanets(connection)
        ]
    if as_json:
        print_json(rows)
        return
    print_table(
        "Datanets",
        ("datanet", "documents", "owners", "bytes", "manifest"),
        [
            (
                row["name"],
                f"{row['documents']:,}",
                f"{row['owners']:,}",
                f"{row['bytes']:,}",
                row["manifest"] and row["manifest"][:HASH_DIGITS_SHOWN],
            )
            for row in rows
        ],
    )


@group.command()
def show(name: Name, as_json: JsonOption = False) -> None:
    """Show a datanet: its current manifest, owners and documents.

    Example: distributary datanet show papers
    """
    from distributary.datanets.changes import unknown_datanet
    from distributary.datanets.documents import parse_datanet_name
    from distributary.datanets.manifests import read_pointer
    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.store.datanets import datanet_documents, datanet_exists
    from distributary.store.owners import list_owners

    settings = load_settings()
    with connect(settings.require("postgres")) as connection:
        if not datanet_exists(connection, parse_datanet_name(name)):
            raise unknown_datanet(name)
        shown = {
            "datanet": name,
            "manifest": read_pointer(settings.lake_path, name),
            "owners": [asdict(row) for row in list_owners(connection, datanet=name)],
            "documents": [asdict(row) for row in datanet_documents(connection, name)],
        }
    if as_json:
        print_json(shown)
        return
    _print_datanet(shown)


def _print_datanet(shown: dict[str, Any]) -> None:
    results.print(f"datanet {shown['datanet']}, manifest {shown['manifest'] or '- (none built)'}")
    print_table(
        "Owners",
        ("owner", "documents", "bytes", "payee"),
        [
            (row["owner"], f"{row['documents']:,}", f"{row['bytes']:,}", row["payee"])
            for row in shown["owners"]
        ],
    )
    documents = shown["documents"]
    print_table(
        f"Documents (the first {min(len(documents), ROWS_SHOWN_MAX)} of {len(documents):,})",
        ("document", "owner", "licence", "bytes", "title"),
        [
            (
                row["document"][:HASH_DIGITS_SHOWN],
                row["owner"],
                row["licence"],
                f"{row['bytes']:,}",
                row["title"] or None,
            )
            for row in documents[:ROWS_SHOWN_MAX]
        ],
    )


@group.command()
def remove(
    name: Name,
    documents: Annotated[
        list[str] | None,
        typer.Argument(help="Hashes, or their first digits; none: the whole datanet."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take documents, or a whole datanet, out of service.

    What was answered from them stays on record, and so does who owns a content.

    Example: distributary datanet remove papers 3f2a9c1b
    """
    with _registrar(0) as registrar:
        removed = (
            registrar.remove_documents(name, documents)
            if documents
            else registrar.remove_datanet(name)
        )
    if as_json:
        print_json({"datanet": name, **asdict(removed)})
        return
    state = f"manifest {removed.manifest}" if removed.manifest else "out of service"
    results.print(f"datanet {name}: {removed.removed:,} documents removed; {state}")
