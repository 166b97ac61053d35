"""Writes the tables of docs/reference.md that the code knows best: `python -m docs.generate`.

A table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; the rest of the file is
written by hand. A test fails while the file and the code disagree.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final

import typer

from distributary.cli.main import app
from distributary.cli.publishing import Metrics as AccountsMetrics
from distributary.inference.metrics import Metrics as InferenceMetrics
from distributary.recording.metrics import Metrics as AttributionMetrics
from distributary.settings import PREFIX, Settings
from distributary.topics import topic_specs

REFERENCE: Final = Path(__file__).with_name("reference.md")
MODELS: Final = REFERENCE.parents[1] / "triton_models"
_TENSOR: Final = re.compile(r'name: "(\w+)" data_type: TYPE_(\w+) dims: \[ (\d+) \]')


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a `|` in a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in lines
    )


def _default(setting: "Field[Any]") -> str:
    if setting.name == "cache":
        return "`$XDG_CACHE_HOME/distributary`, else `~/.cache/distributary`"
    value = None if setting.default is MISSING else setting.default
    return "none" if value in (None, "") else f"`{value}`"


def _allowed(setting: "Field[Any]") -> str:
    allowed = setting.metadata.get("allowed")
    return allowed.words if allowed else ""


def settings() -> str:
    """Every setting with its variable, default, range and reason."""
    rows = [
        [
            f"`{PREFIX}{each.name.upper()}`",
            _default(each),
            _allowed(each),
            str(each.metadata["doc"]),
        ]
        for each in fields(Settings)
    ]
    return table(("variable", "default", "allowed", "what and why"), rows)


def commands(group: Any, path: str = "distributary") -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its full name, in the order of the help."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = (parameter.metavar or parameter.name).upper()
    else:
        name = ", ".join(parameter.opts)
        if not getattr(parameter, "is_flag", False):
            name += f" {parameter.metavar or parameter.name.upper()}"
    return f"`{name}`: {getattr(parameter, 'help', '') or ''}"


def command_table() -> str:
    """Every command with its arguments and options."""
    rows = [
        [
            f"`{name}`",
            command.help.partition("\n")[0],
            "<br>".join(_parameter(p) for p in command.params if p.name != "help"),
        ]
        for name, command in commands(typer.main.get_command(app))
    ]
    return table(("command", "what it does", "arguments and options"), rows)


def topics() -> str:
    """Every topic as it is created on one broker with the default settings."""
    rows = [
        [
            f"`{spec.name}`",
            str(spec.partitions),
            "<br>".join(f"`{key}={value}`" for key, value in spec.config.items()),
        ]
        for spec in topic_specs(Settings())
    ]
    return table(("topic", "partitions", "configuration"), rows)


def metrics() -> str:
    """Every metric of both jobs and of the publisher of accounts."""
    rows = []
    for registry in (InferenceMetrics(), AttributionMetrics(), AccountsMetrics()):
        for collector in vars(registry).values():
            if hasattr(collector, "_documentation"):
                kind = str(collector._type)
                name = collector._name + ("_total" if kind == "counter" else "")
                labels = ", ".join(f"`{label}`" for label in collector._labelnames)
                rows.append([f"`{name}`", kind, labels or "none", collector._documentation])
    return table(("metric", "type", "labels", "what it says"), rows)


def tensors() -> str:
    """Inputs and outputs of every Triton model."""
    rows = []
    for config in sorted(MODELS.glob("*/config.pbtxt")):
        inputs, _, outputs = config.read_text().partition("output [")
        rows += [
            [f"`{config.parent.name}`", way, f"`{name}`", f"{kind} [n, {size}]"]
            for way, text in (("input", inputs), ("output", outputs))
            for name, kind, size in _TENSOR.findall(text)
        ]
    return table(("model", "", "tensor", "type and shape"), rows)


TABLES: Final = {
    "settings": settings,
    "commands": command_table,
    "topics": topics,
    "metrics": metrics,
    "tensors": tensors,
}


def rewrite(text: str, tables: Mapping[str, str]) -> str:
    """The reference with its generated tables replaced.

    Raises:
        ValueError: a table has no place in the text, or more than one.
    """
    for name, made in tables.items():
        block = re.compile(rf"(<!-- begin {name} -->\n).*?(\n<!-- end {name} -->)", re.DOTALL)
        if len(block.findall(text)) != 1:
            raise ValueError(f"The reference needs one place for the table {name}.")
        text = block.sub(lambda match, made=made: match[1] + made + match[2], text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    made = {name: make() for name, make in TABLES.items()}
    REFERENCE.write_text(rewrite(REFERENCE.read_text(), made))
