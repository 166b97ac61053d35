"""What the documents tell a reader to follow, type or watch exists."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer

from distributary.cli.main import app
from docs.generate import commands
from tests.unit.docs.reading import DOCS, ROOT, anchors, code_blocks, names, section

CLI = typer.main.get_command(app)
ALL = "\n".join(path.read_text() for path in DOCS)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def links() -> list[tuple[Path, str]]:
    return [
        (path, target)
        for path in DOCS
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text())
        if not urlsplit(target).scheme
    ]


def typed(program: str) -> list[str]:
    """The lines of code blocks that begin with a program."""
    lines = {line for path in DOCS for line in code_blocks(path.read_text())}
    return sorted(line for line in lines if line.split()[0] == program)


def mentioned(program: str) -> list[str]:
    """What back-ticks hold that begins with a program."""
    return sorted(set(re.findall(rf"`({program} [^`]+)`", ALL)))


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a line names, and what is left of the line."""
    command: Any = CLI
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize(("path", "target"), links(), ids=lambda value: str(value)[-40:])
def test_link__in_a_document__resolves(path: Path, target: str) -> None:
    file, _, anchor = target.partition("#")
    linked = (path.parent / file).resolve() if file else path
    assert linked.exists()
    if anchor:
        assert anchor in anchors(linked.read_text())


@pytest.mark.parametrize("line", typed("distributary"))
def test_command__in_a_code_block__is_one_that_the_command_line_takes(line: str) -> None:
    command, words = resolve(shlex.split(line)[1:])
    assert not hasattr(command, "commands"), "names a group only"
    command.make_context(command.name, list(words))


@pytest.mark.parametrize("line", mentioned("distributary"))
def test_command__in_a_sentence__exists(line: str) -> None:
    if "COMMAND" not in line:
        resolve(line.split()[1:])


@pytest.mark.parametrize("line", typed("make") + mentioned("make"))
def test_target__that_a_document_names__is_in_the_makefile(line: str) -> None:
    assert set(line.split()[1:]) <= TARGETS


@pytest.mark.parametrize("line", typed("python") + mentioned("python"))
def test_module__that_a_document_runs__exists(line: str) -> None:
    module = line.removeprefix("python -m ").split()[0]
    assert find_spec(module) is not None


def test_every_command__is_in_the_reference() -> None:
    assert [name for name, _ in commands(CLI)] == names("Commands", "command")


def test_environment_variables_and_metrics__in_all_documents__are_in_the_reference() -> None:
    described = section("Settings") + section("Other environment variables")
    for variable in set(re.findall(r"DISTRIBUTARY_[A-Z_]*[A-Z]", ALL)):
        assert f"`{variable}`" in described
    metrics = set(names("Metrics", "metric"))
    for metric in re.findall(r"distributary_(?:inference|attribution)_\w+", ALL):
        assert metric in metrics


def test_documents__of_this_project__name_no_place_outside_of_it() -> None:
    assert not re.findall(r"\.\./shared|/tmp/|(?<!\w)TODO(?!\w)", ALL)


def test_benchmarks__published__have_no_open_figure() -> None:
    assert "PENDING" not in (ROOT / "docs" / "benchmarks.md").read_text()
