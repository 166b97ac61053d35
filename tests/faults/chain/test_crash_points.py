"""The indexer crashes before and after each of its writes: the tables come out the same."""

from collections.abc import Callable
from typing import Any

import pytest

from distributary.store import connect, migrate
from orchestration.chain import rows
from orchestration.chain.indexer import Did
from orchestration.chain.running import open_indexer
from tests.chain_contract import CUSTOMER, LocalContract

WRITES = ("append", "save_progress", "drop_after", "keep_deployment")
POINTS_MAX = 33


class Crash(BaseException):
    """The process dies here."""


class CrashPoints:
    """Counts passages before and after each write, and crashes at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed, self.crash_at = 0, -1
        for name in WRITES:
            monkeypatch.setattr(rows, name, self._around(getattr(rows, name)))

    def _around(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            self._pass()
            result = write(*arguments)
            self._pass()
            return result

        return wrapped

    def _pass(self) -> None:
        self.passed += 1
        if self.passed == self.crash_at:
            raise Crash


def index(chain: LocalContract, dsn: str) -> None:
    """Up to the head, with a connection of its own, as a new process would."""
    with connect(dsn, autocommit=True) as connection:
        indexer = open_indexer(chain.settings, connection)
        while True:
            step = indexer.step()
            if step.did is Did.BEHIND or step.indexed_block >= step.head_block:
                return


def tables(dsn: str) -> list[Any]:
    with connect(dsn) as connection:
        return [
            connection.execute(f"select * from {table} order by 1, 2").fetchall()
            for table in ("chain_blocks", "chain_events")
        ]


def test_index__crash_at_each_point_in_turn__gives_the_tables_of_a_clean_run(
    local_contract: LocalContract,
    fresh_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain, points = local_contract, CrashPoints(monkeypatch)
    monkeypatch.setattr("orchestration.chain.indexer.TAIL_BLOCKS_MAX", 3)
    dsn = fresh_database()
    migrate(dsn)
    chain.deposit(CUSTOMER, 1)
    chain.node.mine(9)
    for point in range(1, POINTS_MAX):
        # Each round has something to add, and something to take back.
        chain.deposit(CUSTOMER, point)
        if point % 2:
            chain.node.ask("anvil_reorg", 5, [])
        points.passed, points.crash_at = 0, 1 + point % 8
        try:
            index(chain, dsn)
        except Crash:
            points.crash_at = -1
            index(chain, dsn)
        points.crash_at = -1
    clean = fresh_database()
    migrate(clean)
    index(chain, clean)

    kept, made = tables(dsn), tables(clean)
    assert kept[1] == made[1]
    assert set(made[0]) <= set(kept[0])
