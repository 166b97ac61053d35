from collections.abc import Sequence
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from distributary.datanets.packages import (
    PARAGRAPH_CHARACTERS_MIN,
    PASSAGE_CHARACTERS_MAX,
    package_documents,
)
from distributary.datanets.paragraphs import Paragraph, markdown_paragraphs, rst_paragraphs

SENTENCE = "This sentence is long enough to be kept as a paragraph."


def package(folder: Path, *lines: str, description: str = SENTENCE) -> Distribution:
    """An installed package with these metadata lines."""
    place = folder / f"{len(list(folder.iterdir()))}.dist-info"
    place.mkdir()
    metadata = "\n".join(("Metadata-Version: 2.4", "Version: 1", *lines))
    (place / "METADATA").write_text(f"{metadata}\n\n{description}\n")
    return Distribution.at(place)


NAMED = ("Name: river", "Summary: Rivers", "Author: A. Author", "License-Expression: MIT")
MARKDOWN = (*NAMED, "Description-Content-Type: text/markdown")


@pytest.mark.parametrize(
    ("lines", "owner"),
    [
        (["Author: Hugging Face, Inc."], "Hugging Face, Inc."),
        (["Author-email: A. Author <a@example.org>, Bé <b@example.org>"], "A. Author, Bé"),
        (["Author: list@example.org", "Maintainer: M. Maintainer"], "M. Maintainer"),
        (["Author: UNKNOWN", "Maintainer-email: Team <t@example.org>"], "Team"),
    ],
)
def test_package_documents__owner__is_who_the_package_names(
    tmp_path: Path, lines: Sequence[str], owner: str
) -> None:
    (document,) = package_documents([package(tmp_path, "Name: a", "License: MIT", *lines)])
    assert document.owner == owner
    assert "@" not in document.owner


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: other"], "MIT OR Apache-2.0"),
        (["License: BSD"], "BSD"),
        (["Classifier: License :: OSI Approved :: MIT License"], "MIT License"),
    ],
)
def test_package_documents__licence__is_what_the_package_states(
    tmp_path: Path, lines: Sequence[str], licence: str
) -> None:
    (document,) = package_documents([package(tmp_path, "Name: a", "Author: A", *lines)])
    assert document.licence == licence


@pytest.mark.parametrize(
    ("lines", "description"),
    [
        (("Name: a", "License: MIT"), SENTENCE),
        (("Name: a", "License: MIT", "Author-email: a@example.org"), SENTENCE),
        (("Name: a", "Author: A"), SENTENCE),
        (NAMED, ""),
        (NAMED, "Too short."),
    ],
)
def test_package_documents__nobody_named_no_licence_or_text__left_out(
    tmp_path: Path, lines: Sequence[str], description: str
) -> None:
    assert package_documents([package(tmp_path, *lines, description=description)]) == []


def test_package_documents__headings__one_document_each_with_title(tmp_path: Path) -> None:
    text = f"{SENTENCE}\n\n## Usage\n\n{SENTENCE}\n\n## Change log\n\n{SENTENCE}"
    documents = package_documents([package(tmp_path, *MARKDOWN, description=text)])
    assert [(d.title, d.text) for d in documents] == [
        ("river: Rivers", f"river: Rivers\n\n{SENTENCE}"),
        ("river: Usage", f"river: Usage\n\n{SENTENCE}"),
    ]


def test_package_documents__long_text__cut_into_passages_and_nothing_lost(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(1_000)]
    text = f"{' '.join(words[:900])}\n\n{' '.join(words[900:])}"
    documents = package_documents([package(tmp_path, *MARKDOWN, description=text)])
    passages = [document.text.removeprefix("river: Rivers\n\n") for document in documents]
    assert max(map(len, passages)) <= PASSAGE_CHARACTERS_MAX
    assert " ".join(passages).split() == words


def test_package_documents__same_text_twice__one_document(tmp_path: Path) -> None:
    twice = [package(tmp_path, *NAMED), package(tmp_path, *NAMED)]
    assert len(package_documents(twice)) == 1


def test_package_documents__this_environment__is_a_datanet_of_many_owners() -> None:
    documents = package_documents()
    assert len(documents) >= 100
    assert len({document.owner for document in documents}) >= 20
    assert len({document.hash for document in documents}) == len(documents)
    assert documents == package_documents()
    assert min(len(d.text) for d in documents) > PARAGRAPH_CHARACTERS_MIN


def test_markdown_paragraphs__badges_html_code_and_tables__dropped() -> None:
    text = """
[![badge](https://example.org/b.svg)](https://example.org)
<p align="center"><img src="logo.png"></p>

# A *river* `delta`

Water <b>flows</b>
to the [sea](https://example.org).

```python
code()
```

- one item
- two items
"""
    assert list(markdown_paragraphs(text)) == [
        Paragraph("A river delta", "Water flows to the sea."),
        Paragraph("A river delta", "one item"),
        Paragraph("A river delta", "two items"),
    ]


def test_rst_paragraphs__directives_badges_and_code__dropped() -> None:
    text = """
=====
River
=====

.. image:: https://example.org/b.svg
   :target: https://example.org

|badge| Water ``flows`` to the `sea <https://example.org>`_, see
:class:`~river.Delta`::

    code()

Uses
----
- one *item*
- two
  items

>>> code()

+---+
| a |
+---+
"""
    assert list(rst_paragraphs(text)) == [
        Paragraph("River", "Water flows to the sea, see ~river.Delta:"),
        Paragraph("Uses", "one item"),
        Paragraph("Uses", "two items"),
    ]
