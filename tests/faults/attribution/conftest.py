"""A stream of its own for each test, on the servers that tests may kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from distributary.stack.local import LocalStack
from tests.faults.stream import Stream, open_stream


@pytest.fixture
def stream(killable: LocalStack, tmp_path: Path) -> Iterator[Stream]:
    """An empty stream of two partitions."""
    stream = open_stream(killable, tmp_path / "lake")
    yield stream
    stream.end_jobs()
