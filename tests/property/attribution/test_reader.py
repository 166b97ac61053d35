from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from distributary.attribution import index
from distributary.attribution.reader import Index
from distributary.attribution.spans import line
from tests.unit.attribution.conftest import MANIFEST, plain_table
from tests.unit.attribution.plain_corpus import PlainCorpus

WORDS = st.sampled_from(["a", "ab", "b", "é", "水"])
DOCUMENTS = st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=5).map(
    lambda texts: [(f"{number:064x}", text) for number, text in enumerate(texts)]
)


@settings(max_examples=60)
@given(documents=DOCUMENTS, span=st.lists(WORDS, min_size=1, max_size=3).map(line))
def test_index__any_documents__says_what_a_plain_corpus_says(
    documents: list[tuple[str, str]], span: str
) -> None:
    with TemporaryDirectory() as temporary, patch.object(index, "_write_table", plain_table):
        folder = Path(temporary) / "index"
        index.write_index(documents, folder, MANIFEST)
        opened, plain = Index.open(folder, MANIFEST), PlainCorpus(documents)
        assert opened.documents_count == plain.documents_count
        assert opened.occurrences(span) == plain.occurrences(span)
        assert opened.holders(span) == plain.holders(span)
