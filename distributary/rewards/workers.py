"""Work over the row groups of a posting's answers, on all cores.

In threads, not processes: Arrow and libsodium work without the interpreter's lock, and a process
takes longer to import them than a thread to check a million rows.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from distributary.rewards.posting import BATCH_ROWS, EpochFiles, Posting, read_answers
from distributary.rewards.row_checks import COLUMNS, RowChecker, RowFindings
from distributary.rewards.row_screen import RowScreen
from distributary.rewards.signature_checks import Signatures, check_signatures
from distributary.rewards.weighing import charged_rows

Found = TypeVar("Found")


class RowGroup(NamedTuple):
    """A row group of an answers file."""

    epoch: int
    path: Path
    number: int


def row_groups(epochs: Iterable[EpochFiles]) -> list[RowGroup]:
    """The row groups of epochs, in order."""
    import pyarrow.parquet as pq

    return [
        RowGroup(each.epoch, path, number)
        for each in epochs
        for path in each.answers
        for number in range(pq.read_metadata(path).num_row_groups)
    ]


def charged_tables(
    group: RowGroup, columns: Sequence[str], dictionaries: Sequence[str] = ()
) -> Iterator[pa.Table]:
    """The charged rows of a row group, a batch at a time; as `read_answers` reads them."""
    numbers = [group.number]
    tables = read_answers(group.path, columns, row_groups=numbers, dictionaries=dictionaries)
    yield from map(charged_rows, tables)


def on_all_cores(work: Callable[[RowGroup], Found], groups: Sequence[RowGroup]) -> Iterator[Found]:
    """What work gives for each row group, in their order."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(work, groups)


def check_rows(posting: Posting, signatures: Signatures) -> Iterator[RowFindings]:
    """Checks every charged row of a posting, those carried in first.

    Args:
        posting: files already checked against their hashes.
        signatures: which signatures are verified.
    """
    rules = (posting.domain, posting.prices, posting.splits)
    check = partial(_check, RowScreen(*rules), RowChecker(*rules), signatures)
    columns = [*COLUMNS, *(name for name in signatures.columns if name not in COLUMNS)]
    carried = posting.inputs.carried.select(columns)
    for start in range(0, carried.num_rows, BATCH_ROWS):
        yield check(carried.slice(start, BATCH_ROWS).combine_chunks())

    def check_group(group: RowGroup) -> list[RowFindings]:
        return [check(table) for table in charged_tables(group, columns)]

    for found in on_all_cores(check_group, row_groups(posting.epochs)):
        yield from found


def _check(
    screen: RowScreen, checker: RowChecker, signatures: Signatures, table: pa.Table
) -> RowFindings:
    """Checks charged rows: by columns first, and one by one what that does not pass."""
    found = checker.check(table.filter(pc.invert(screen.passes(table))).combine_chunks())
    found.rows = table.num_rows
    check_signatures(table, signatures, found)
    return found
