"""A settler on a real Postgres and a real anvil, behind the strict proxy."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from eth_account import Account

from distributary.stack.anvil import fetch
from distributary.stack.server import quiet
from distributary.store import connect, migrate
from orchestration.chain.client import Client
from orchestration.chain.deploy import Terms
from orchestration.settlement.clock import Patience
from orchestration.settlement.node import Node
from orchestration.settlement.reserving import Call
from orchestration.settlement.rows import Transactions, take_settler_lock
from orchestration.settlement.signer import KeystoreSigner
from orchestration.settlement.transactor import Transactor
from tests.anvil_node import AnvilNode
from tests.chain_contract import deploy
from tests.settlement_world import World
from tests.settler_chain import SettlerChain
from tests.settler_model import SettlerModel, SettlingClock
from tests.strict_node import StrictNode

CALL_DATA = "0x" + "01".zfill(64)


@pytest.fixture(scope="session")
def anvil_program(servers_cache: Path) -> Path:
    return fetch(servers_cache, quiet)


@pytest.fixture
def chain(anvil_program: Path, tmp_path: Path) -> Iterator[SettlerChain]:
    """A chain of this test alone, that mines when it is told to."""
    node = AnvilNode(anvil_program, tmp_path)
    try:
        yield SettlerChain(node)
    finally:
        node.stop()


@pytest.fixture
def database(fresh_database) -> str:
    dsn = fresh_database()
    migrate(dsn)
    return dsn


@pytest.fixture
def key(chain: SettlerChain) -> str:
    account = Account.create()
    chain.fund(account.address)
    return "0x" + bytes(account.key).hex()


@pytest.fixture
def node(chain: SettlerChain, database: str) -> Iterator[StrictNode]:
    model = SettlerModel(database, chain)
    with StrictNode(chain.url, model.on_send) as proxy:
        proxy.model = model  # type: ignore[attr-defined]
        yield proxy
    model.check()


@pytest.fixture
def clock(chain: SettlerChain) -> SettlingClock:
    return SettlingClock(chain)


@pytest.fixture
def counter(chain: SettlerChain) -> str:
    return chain.deploy()


@pytest.fixture
def call(counter: str) -> Call:
    return Call(counter, CALL_DATA)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with connect(database, autocommit=True) as opened:
        take_settler_lock(opened)
        yield opened


@pytest.fixture
def transactor(node, key, clock, connection) -> Transactor:
    signer = KeystoreSigner(Account.from_key(key))
    return Transactor(
        Node(Client(node.url, timeout_s=5, sleep=lambda _: None)),
        Transactions(connection, 31337, signer.address),
        signer,
        lambda: None,
        patience=Patience(poll_s=1, looks_max=40),
        clock=clock,
    )


@pytest.fixture
def world(fresh_database, tmp_path, start_node) -> World:
    """A contract with deposits on a chain of this test, a lake and a database."""
    made = World(fresh_database(), tmp_path / "lake", deploy(start_node()))
    made.mine(10)
    return made


@pytest.fixture
def slow_world(fresh_database, tmp_path, start_node) -> World:
    """As `world`, with a delay that leaves time for a dispute."""
    terms = Terms(activation_delay_s=50, arbiter_deadline_s=100, fail_safe_s=3600)
    made = World(fresh_database(), tmp_path / "lake", deploy(start_node(), terms=terms))
    made.mine(10)
    return made
