"""Closing the open epoch of an installation, with its cut block where there is a chain."""

import time
from collections.abc import Callable

from distributary.attribution.method import METHOD
from distributary.epochs import Closer
from distributary.settings import Settings
from distributary.store import connect
from distributary.store.epochs import Epoch, find_epoch
from distributary.store.purchases import purchases_needed_s
from orchestration.chain.rows import require_cut_block


def close_epoch(
    settings: Settings,
    epoch: int | None = None,
    method: str = METHOD,
    on_file: Callable[[int, int], None] = lambda _done, _files: None,
) -> Epoch:
    """Closes an epoch and opens the next; completes a close that was broken off.

    Args:
        settings: endpoints, lake and domain.
        epoch: by default one whose closing was broken off, else the open one.
        method: method version of the next epoch's weights.
        on_file: called as committed files are read: how many are, and how many there are.

    Raises:
        InputError: `unknown_epoch`.
        UnavailableError: Postgres does not answer, or the chain is not indexed.
        DistributaryError: `books_disagree`, `lake_file_damaged`.
    """
    with connect(settings.require("postgres"), autocommit=True) as connection:

        def read_cut() -> int | None:
            return require_cut_block(connection) if settings.has_contract else None

        purchases_before_s = int(time.time()) - purchases_needed_s(settings.retention_s)
        closer = Closer(
            settings.lake_path, settings.domain, method, purchases_before_s, read_cut, on_file
        )
        return find_epoch(connection, closer.close(connection, epoch))
