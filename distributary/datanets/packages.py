"""Documents made from the descriptions of the installed Python packages.

Real text by real authors that is there on every machine: the demo's datanet. The owner is who the
package names as author, else as maintainer; several names stay one owner, as the package wrote
them. Packages that name nobody, no licence or no description are left out.
"""

import re
from collections.abc import Iterable, Iterator
from email.utils import getaddresses
from importlib.metadata import Distribution, distributions
from itertools import takewhile

from distributary.datanets.documents import Document, make_document
from distributary.datanets.paragraphs import Paragraph, markdown_paragraphs, rst_paragraphs
from distributary.errors import InputError

PASSAGE_CHARACTERS_MAX = 1_000
"""Some 250 tokens: a small model is shown two of them with room for its answer."""

PARAGRAPH_CHARACTERS_MIN = 40
"""Shorter ones are what is left of badges, links and lists of names."""


_CHANGES = re.compile(
    r"(change ?log|changes|(release )?(history|notes)|what's (new|changed))\b"
    r"|(version |v)?\d+\.\d+",
    re.IGNORECASE,
)


def package_documents(installed: Iterable[Distribution] | None = None) -> list[Document]:
    """The documents of all installed packages, sorted by package; each content once.

    A document is a line `NAME: HEADING` (or the package's summary under no heading), and the
    paragraphs under that heading, as many as fit into 1,000 characters; what does not fit begins
    the next document, and a single longer paragraph is cut at a space. From the heading of a
    change log on, a description is not read.

    Args:
        installed: the packages, by default those of this environment.
    """
    found = distributions() if installed is None else installed
    by_name = {name.lower(): one for one in found for name in one.metadata.get_all("Name") or ()}
    unique: dict[str, Document] = {}
    for name in sorted(by_name):
        for document in _documents(by_name[name]):
            unique.setdefault(document.hash, document)
    return list(unique.values())


def _documents(package: Distribution) -> Iterator[Document]:
    owner, licence = _owner(package), _licence(package)
    if not owner or not licence:
        return
    name = str(package.metadata["Name"])
    summary = " ".join((_field(package, "Summary") or "a Python package").split())
    before = takewhile(lambda one: not _CHANGES.match(one.heading), _paragraphs(package))
    for heading, passage in _passages(before):
        title = f"{name}: {heading or summary}"
        try:
            yield make_document(f"{title}\n\n{passage}", owner, licence, title[:200])
        except InputError:  # a heading, label or text that the registry would refuse
            continue


def _field(package: Distribution, name: str) -> str:
    values = package.metadata.get_all(name) or [""]
    return "" if values[0].strip() == "UNKNOWN" else str(values[0].strip())


def _owner(package: Distribution) -> str:
    for role in ("Author", "Maintainer"):
        written = _field(package, role)
        if written and "@" not in written:
            return written
        names = [name for name, _ in getaddresses([_field(package, f"{role}-email")]) if name]
        if names:
            return ", ".join(names)
    return ""


def _licence(package: Distribution) -> str:
    stated = _field(package, "License-Expression") or _field(package, "License")
    if stated:
        return stated.splitlines()[0]
    classifiers = package.metadata.get_all("Classifier") or []
    named = (line.split(" :: ")[-1] for line in classifiers if line.startswith("License :: "))
    return next(named, "")


def _paragraphs(package: Distribution) -> Iterator[Paragraph]:
    text = _field(package, "Description") or _body(package.read_text("METADATA") or "")
    kind = _field(package, "Description-Content-Type")
    return markdown_paragraphs(text) if kind.startswith("text/markdown") else rst_paragraphs(text)


def _body(metadata: str) -> str:
    return metadata.replace("\r\n", "\n").partition("\n\n")[2]


def _passages(paragraphs: Iterable[Paragraph]) -> Iterator[tuple[str, str]]:
    """Joins paragraphs under one heading up to the limit."""
    heading, gathered = "", ""
    for paragraph in paragraphs:
        for part in _cut(paragraph.text):
            fits = len(gathered) + 1 + len(part) <= PASSAGE_CHARACTERS_MAX
            if gathered and (paragraph.heading != heading or not fits):
                yield heading, gathered
                gathered = ""
            heading = paragraph.heading
            gathered = f"{gathered}\n{part}" if gathered else part
    if gathered:
        yield heading, gathered


def _cut(text: str) -> Iterator[str]:
    if len(text) < PARAGRAPH_CHARACTERS_MIN:
        return
    while len(text) > PASSAGE_CHARACTERS_MAX:
        end = text.rfind(" ", 0, PASSAGE_CHARACTERS_MAX)
        end = end if end > 0 else PASSAGE_CHARACTERS_MAX
        yield text[:end]
        text = text[end:].lstrip()
    yield text
