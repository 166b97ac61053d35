"""What the documents say, and what the code has: read as text, nothing heavy is imported."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
SOURCES = ("distributary", "orchestration", "transforms", "pipelines", "triton_models")
# Codes that are put together, or handed to a function that raises them.
CODES_NOT_LITERAL = {"no_owner", "no_licence", "bad_owner", "bad_licence", "index_unavailable"}
DECODING = ("canonical", "strict_json", "events", "identity", "requests", "inference/decode")


def section(title: str, text: str = REFERENCE) -> str:
    """The text of one section, its sub-sections included."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert match is not None, title
    return match[1]


def rows(title: str, header: str) -> list[list[str]]:
    """The rows of the table of a section whose first column is called `header`."""
    lines = iter(section(title).splitlines())
    for line in lines:
        if line.startswith(f"| {header} |"):
            break
    next(lines)
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def names(title: str, header: str) -> list[str]:
    """The first column of a table, without back-ticks."""
    return [row[0].strip("`") for row in rows(title, header)]


def source_files() -> Iterator[Path]:
    """Every Python file of the project, tests apart."""
    for folder in SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))


def error_codes(path: Path) -> set[str]:
    """The codes of errors raised in a file: `code="…"`, `code = "…"` of a class, `Dead(…, "…")`."""
    codes: set[object] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            codes |= {k.value.value for k in node.keywords if _is_code(k)}
            if isinstance(node.func, ast.Name) and node.func.id == "Dead" and len(node.args) > 1:
                codes |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant)}
        if isinstance(node, ast.ClassDef):
            codes |= {
                each.value.value
                for each in node.body
                if isinstance(each, ast.Assign)
                and isinstance(each.value, ast.Constant)
                and [getattr(target, "id", "") for target in each.targets] == ["code"]
            }
    return {code for code in codes if isinstance(code, str)}


def _is_code(keyword: ast.keyword) -> bool:
    return keyword.arg == "code" and isinstance(keyword.value, ast.Constant)


def sql_names(kind: str) -> set[str]:
    """The names that the migrations create: of a `table` or `view`."""
    folder = ROOT / "distributary" / "store" / "migrations" / "versions"
    text = "\n".join(path.read_text() for path in folder.glob("*.py"))
    return set(re.findall(rf"create (?:or replace )?{kind} ([\w.]+) ?\(?", text))


def code_blocks(text: str) -> list[str]:
    """The lines that a reader is told to type: in fenced blocks marked `sh`."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
