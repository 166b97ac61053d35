"""The prose of Markdown and reStructuredText, as (heading, paragraph) pairs.

Kept: paragraphs and list items as plain text. Dropped: code, tables, images (so badges), HTML,
directives, link targets. Good enough to quote a description, not to render it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token


class Paragraph(NamedTuple):
    """A paragraph in one line, and the heading that it stands under, "" for none."""

    heading: str
    text: str


_SPACE = re.compile(r"\s+")


def _one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def markdown_paragraphs(text: str) -> Iterator[Paragraph]:
    """The prose of a Markdown text (CommonMark)."""
    heading, is_heading = "", False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("heading_open", "heading_close"):
            is_heading = token.type == "heading_open"
        elif token.type == "inline":
            line = _one_line("".join(_inline(token.children or [])))
            if is_heading:
                heading = line
            elif line:
                yield Paragraph(heading, line)


def _inline(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("text", "code_inline"):
            yield token.content
        elif token.type in ("softbreak", "hardbreak"):
            yield " "


_RST_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*")
_RST_MARKUP = (
    (re.compile(r"\|[^|\s][^|\n]*\|_{0,2}"), ""),
    (re.compile(r":[a-z:]+:`([^`<]+?)(?:\s*<[^>]+>)?`"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^>]+>`_{1,2}"), r"\1"),
    (re.compile(r"``([^`]+)``"), r"\1"),
    (re.compile(r"`([^`]+)`_{0,2}"), r"\1"),
    (re.compile(r"(?<!\w)\*{1,2}([^*\n]+)\*{1,2}(?!\w)"), r"\1"),
    (re.compile(r"<[^>\n]*>"), ""),
    (re.compile(r"::\s*$"), ":"),
)
_RST_ITEM = re.compile(r"(?:[-*+•]|\d{1,3}[.)])\s+")
_RST_TABLE = re.compile(r"\+[-=+]+\+|={3,}\s+={3,}")


def rst_paragraphs(text: str) -> Iterator[Paragraph]:
    """The prose of a reStructuredText or plain text."""
    heading = ""
    for block in re.split(r"\n[ \t]*\n", text.expandtabs().replace("\r\n", "\n")):
        lines = [line for line in block.strip("\n").split("\n") if line.strip()]
        while lines and _RST_UNDERLINE.fullmatch(lines[0].strip()):
            del lines[0]
        if len(lines) > 1 and _RST_UNDERLINE.fullmatch(lines[1].strip()):
            heading = _rst_plain(lines[0])
            del lines[:2]
        if lines and not _is_rst_markup(lines):
            yield from (Paragraph(heading, line) for line in _rst_lines(lines) if line)


def _is_rst_markup(lines: list[str]) -> bool:
    first = lines[0]
    return first.startswith((" ", "..", ">>>", ":", "| ", "__ ")) or bool(_RST_TABLE.match(first))


def _rst_lines(lines: list[str]) -> Iterator[str]:
    """One paragraph, or the items of a list."""
    gathered: list[str] = []
    for line in lines:
        item = _RST_ITEM.match(line)
        if item and gathered:
            yield _rst_plain(" ".join(gathered))
            gathered = []
        gathered.append(line[item.end() :] if item else line)
    yield _rst_plain(" ".join(gathered))


def _rst_plain(text: str) -> str:
    for pattern, replacement in _RST_MARKUP:
        text = pattern.sub(replacement, text)
    return _one_line(text)
