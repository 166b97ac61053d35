"""`distributary index` killed at any instant: the tables are those of one that was not."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from distributary.stack.process import wait_until
from distributary.store import connect, migrate
from orchestration.chain.rows import Database, read_progress
from orchestration.chain.running import index_once
from tests.chain_contract import CUSTOMER, OTHER, LocalContract

KILLS = 12
SEED = 20_261_123


def environment(chain: LocalContract, dsn: str, home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DISTRIBUTARY_")}
    return kept | {
        "DISTRIBUTARY_HOME": str(home),
        "DISTRIBUTARY_POSTGRES": dsn,
        "DISTRIBUTARY_CHAIN": chain.node.url,
        "DISTRIBUTARY_CONTRACT": chain.contract.address,
        "DISTRIBUTARY_CONTRACT_BLOCK": str(chain.settings.contract_block),
    }


Process = subprocess.Popen[bytes]


@contextmanager
def indexing(variables: dict[str, str], log: Path) -> Iterator[Process]:
    """`distributary index`, killed at the end of the block."""
    program = Path(sys.executable).with_name("distributary")
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [program, "index"], env=variables, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def has_moved(database: Database, before: object, process: Process) -> bool:
    """Whether the indexer made a step, or ended."""
    return read_progress(database) != before or process.poll() is not None


def events(database: Database) -> list[tuple[Any, ...]]:
    return database.execute(
        "select block, log_index, event, account, units, data from chain_events order by 1, 2"
    ).fetchall()


@pytest.mark.timeout(240)
def test_index__killed_again_and_again_through_re_orgs__has_every_event_once(
    local_contract: LocalContract, fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    chain, chance = local_contract, random.Random(SEED)
    dsn, whole = fresh_database(), fresh_database()
    for each in (dsn, whole):
        migrate(each)
    log = tmp_path / "index.log"
    variables = environment(chain, dsn, tmp_path)
    with connect(dsn, autocommit=True) as database:
        for kill in range(KILLS):
            before = read_progress(database)
            with indexing(variables, log) as process:
                chain.deposit(chance.choice([CUSTOMER, OTHER]), kill + 1)
                chain.node.ask("anvil_mine", hex(chance.randrange(1, 120)))
                if chance.random() < 0.5:
                    chain.node.ask("anvil_reorg", chance.randrange(1, 6), [])
                moved = partial(has_moved, database, before, process)
                assert wait_until(moved, 60), log.read_text()
                assert process.poll() is None, log.read_text()
                wait_until(lambda: False, chance.random() * 0.05)  # any instant after a step
        index_once(replace(chain.settings, postgres=dsn))
        index_once(replace(chain.settings, postgres=whole))
        with connect(whole) as other:
            assert events(database) == events(other)
            assert len(events(database)) > 3


def test_index__told_to_stop__ends_with_0(
    local_contract: LocalContract, fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    dsn = fresh_database()
    migrate(dsn)
    log = tmp_path / "index.log"
    with (
        indexing(environment(local_contract, dsn, tmp_path), log) as process,
        connect(dsn, autocommit=True) as database,
    ):
        assert wait_until(lambda: read_progress(database) is not None, 60), log.read_text()

        process.terminate()

        assert process.wait(30) == 0, log.read_text()


def test_index__node_away_for_a_while__is_waited_for(
    local_contract: LocalContract, fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    chain, dsn = local_contract, fresh_database()
    migrate(dsn)
    log = tmp_path / "index.log"
    snapshot = chain.node.ask("anvil_dumpState")
    chain.node.stop()
    with (
        indexing(environment(chain, dsn, tmp_path), log) as process,
        connect(dsn, autocommit=True) as database,
    ):
        assert wait_until(lambda: "not indexed" in log.read_text(), 90)
        chain.node.start()
        chain.node.ask("anvil_loadState", snapshot)
        chain.node.mine(5)

        assert wait_until(lambda: read_progress(database) is not None, 90), log.read_text()
        assert process.poll() is None
