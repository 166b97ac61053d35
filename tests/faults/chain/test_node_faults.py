"""A node that fails over HTTP in every way: the indexer's tables come out the same."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from distributary.store import connect, migrate
from orchestration.chain.client import Client
from orchestration.chain.errors import NodeUnavailableError
from orchestration.chain.indexer import Indexer
from orchestration.chain.rows import Database
from orchestration.chain.running import open_indexer
from tests.chain_contract import CUSTOMER, LocalContract
from tests.strict_node import Fault, StrictNode

READS = ("eth_getBlockByNumber", "eth_getLogs")


def units(database: Database) -> list[int]:
    rows = database.execute("select units from chain_deposits order by block").fetchall()
    return [int(row[0]) for row in rows]


def fill(chain: LocalContract) -> None:
    for each in (1, 2, 3):
        chain.deposit(CUSTOMER, each)
        chain.node.mine(4)


def to_head(indexer: Indexer) -> None:
    step = indexer.step()
    while step.indexed_block < step.head_block:
        step = indexer.step()


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("kind", [429, 500, 503, "drop", "cut"])
def test_index__node_fails_now_and_then__has_every_deposit_once(
    local_contract: LocalContract,
    fresh_database: Callable[[], str],
    method: str,
    kind: int | str,
) -> None:
    dsn = fresh_database()
    migrate(dsn)
    fill(local_contract)
    with StrictNode(local_contract.node.url) as node, connect(dsn, autocommit=True) as database:
        indexer = open_indexer(local_contract.settings, database)
        indexer.client = Client(node.url, timeout_s=5.0, sleep=lambda _s: None)
        node.faults = [Fault(method, kind, 3)]
        to_head(indexer)

        assert units(database) == [1, 2, 3]
        assert all(fault.times == 0 for fault in node.faults)


def test_index__node_stays_away__ends_the_step_and_nothing_is_half_done(
    local_contract: LocalContract, fresh_database: Callable[[], str]
) -> None:
    dsn = fresh_database()
    migrate(dsn)
    fill(local_contract)
    with StrictNode(local_contract.node.url) as node, connect(dsn, autocommit=True) as database:
        indexer = open_indexer(local_contract.settings, database)
        indexer.client = Client(node.url, timeout_s=5.0, sleep=lambda _s: None)
        node.faults = [Fault("eth_getLogs", 503, 10**6)]
        with pytest.raises(NodeUnavailableError):
            to_head(indexer)
        assert units(database) == []

        node.faults = []
        to_head(indexer)
        assert units(database) == [1, 2, 3]


def test_index__node_refuses_wide_ranges__asks_for_narrower_ones(
    local_contract: LocalContract, fresh_database: Callable[[], str]
) -> None:
    dsn = fresh_database()
    migrate(dsn)
    fill(local_contract)
    local_contract.node.mine(40)
    with StrictNode(local_contract.node.url) as node, connect(dsn, autocommit=True) as database:
        indexer = open_indexer(local_contract.settings, database)
        indexer = replace(indexer, client=Client(node.url))
        node.faults = [Fault("eth_getLogs", "block range is too wide", 5)]
        to_head(indexer)

        assert units(database) == [1, 2, 3]
