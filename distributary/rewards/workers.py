"""Checking rows on all cores: one task for each row group of an answers file."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from distributary.rewards.posting import BATCH_ROWS, Posting
from distributary.rewards.row_checks import RowChecker, RowFindings, Signatures
from distributary.rewards.weighing import charged_rows

# Below this a process takes longer to start than the rows to check.
ROWS_IN_PROCESS_MAX: Final = 50_000

Task = tuple[Path, int]


def check_rows(posting: Posting, signatures: Signatures) -> Iterator[RowFindings]:
    """Checks every charged row of a posting, those carried in first.

    Args:
        posting: files already checked against their hashes.
        signatures: which signatures are verified.
    """
    checker = RowChecker(posting.domain, posting.prices, posting.splits, signatures)
    carried = posting.inputs.carried.select(checker.columns)
    for start in range(0, carried.num_rows, BATCH_ROWS):
        yield checker.check(carried.slice(start, BATCH_ROWS).combine_chunks())
    tasks, rows = _tasks(posting)
    if rows <= ROWS_IN_PROCESS_MAX:
        yield from map(partial(check_row_group, checker), tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(tasks), os.cpu_count() or 1), mp_context=context) as pool:
        yield from pool.map(partial(check_row_group, checker), tasks)


def check_row_group(checker: RowChecker, task: Task) -> RowFindings:
    """Checks the charged rows of one row group."""
    import pyarrow.parquet as pq

    path, group = task
    with pq.ParquetFile(path) as file:
        table = file.read_row_group(group, columns=checker.columns, use_threads=False)
    return checker.check(charged_rows(table))


def _tasks(posting: Posting) -> tuple[list[Task], int]:
    import pyarrow.parquet as pq

    tasks: list[Task] = []
    rows = 0
    for each in posting.epochs:
        for path in each.answers:
            metadata = pq.read_metadata(path)
            tasks += [(path, group) for group in range(metadata.num_row_groups)]
            rows += metadata.num_rows
    return tasks, rows
