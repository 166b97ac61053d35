"""Puts settlement together: database, node, signer, dbt and the gate, from the settings."""

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from distributary.errors import DistributaryError, UnavailableError
from distributary.keys import write_private
from distributary.rewards.leaves import Leaf
from distributary.settings import Settings
from distributary.store import connect
from distributary.store.built_rewards import read_leaves
from orchestration.chain import local
from orchestration.chain.client import Client, open_client
from orchestration.chain.contract import Contract, open_token
from orchestration.chain.deploy import check_contract
from orchestration.chain.rows import read_progress
from orchestration.chain.running import index_once
from orchestration.dbt import Built, Dbt
from orchestration.settlement.actions import Actions
from orchestration.settlement.clock import (
    Checkpoint,
    Clock,
    Patience,
    SystemClock,
    no_checkpoint,
)
from orchestration.settlement.contract import SettlementContract
from orchestration.settlement.fees import FeePolicy
from orchestration.settlement.holding import HoldPolicy
from orchestration.settlement.inputs import unbound_on_chain
from orchestration.settlement.node import Node
from orchestration.settlement.postings import Database, posting_in_flight, unposted_epochs
from orchestration.settlement.preparing import Preparer
from orchestration.settlement.reconciling import Figure, Reconciler
from orchestration.settlement.reserving import Call
from orchestration.settlement.rows import (
    Transactions,
    release_settler_lock,
    take_settler_lock,
)
from orchestration.settlement.settle import Settlement
from orchestration.settlement.signer import KeystoreSigner, RemoteSigner, Signer, write_keystore
from orchestration.settlement.stops import StopError
from orchestration.settlement.transactor import Transactor

GWEI: Final = 10**9
INDEX_LOOKS_MAX: Final = 240
LOCAL_BLOCK_S: Final = 1.0


def key_files(settings: Settings) -> tuple[Path, Path]:
    """The settler's key file and its password file."""
    keys = settings.home / "keys"
    return (
        settings.settler_key or keys / "settler.json",
        settings.settler_password or keys / "settler.password",
    )


def open_signer(settings: Settings, client: Client) -> Signer:
    """The signer that the settings name; on the local chain a key is made where none is.

    Raises:
        StopError: `key_missing`, `key_readable`, `key_refused`.
    """
    if settings.settler_signer:
        return RemoteSigner(settings.settler_signer, settings.settler_address)
    key, password = key_files(settings)
    if not key.exists() and local.is_local(client):
        if not password.exists():
            write_private(password, secrets.token_hex(16), replace=False)
        write_keystore(key, password, local.known_key(local.SETTLER))
    return KeystoreSigner.open(key, password)


@contextmanager
def open_settlement(
    settings: Settings,
    *,
    wait_s_max: int = 60,
    clock: Clock | None = None,
    checkpoint: Checkpoint = no_checkpoint,
) -> Iterator[Settlement]:
    """Settlement as the settings describe it, alone on its database.

    Raises:
        StopError: `settler_busy`, or of the key.
        UnavailableError: Postgres or the node does not answer.
        ChainStopError: `wrong_chain`, `wrong_contract`.
    """
    # Its debug messages hold the node's URL and signed bytes.
    for name in ("web3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    client = open_client(settings)
    signer = open_signer(settings, client)
    opened, _ = check_contract(settings, client)
    try:
        with connect(settings.require("postgres"), autocommit=True) as connection:
            take_settler_lock(connection)
            try:
                yield _assemble(
                    settings, client, signer, opened, connection, wait_s_max, clock, checkpoint
                )
            finally:
                release_settler_lock(connection)
    except psycopg.OperationalError as error:
        # The lock went with the connection, and what was signed is stored.
        reason = " ".join(str(error).split())[:200]
        raise UnavailableError(f"Postgres went away: run it again ({reason}).") from error


def _assemble(
    settings: Settings,
    client: Client,
    signer: Signer,
    opened: Contract,
    connection: Database,
    wait_s_max: int,
    clock: Clock | None,
    checkpoint: Checkpoint,
) -> Settlement:
    from orchestration.gate.running import Gatekeeper

    clock = clock or SystemClock()
    node = Node(client)
    contract = SettlementContract(opened, connection, settings.chain_id, signer.address)
    poll_s = LOCAL_BLOCK_S if local.is_local(client) else Patience().poll_s
    transactor = Transactor(
        node,
        Transactions(connection, settings.chain_id, signer.address),
        signer,
        contract.check,
        FeePolicy(ceiling_wei=settings.gas_ceiling_gwei * GWEI),
        Patience(settings.confirmations, poll_s),
        clock,
        checkpoint,
    )
    gatekeeper = Gatekeeper(settings, connection)
    dbt = Dbt(settings.require("postgres"), settings.home.resolve() / "dbt")
    build = rewards_builder(connection, dbt, gatekeeper.note_built)
    return Settlement(
        connection,
        settings.lake_path,
        Actions(connection, contract, transactor, node, checkpoint),
        Preparer(connection, settings.lake_path, contract, build, gatekeeper.check, checkpoint),
        index_waiter(settings, connection, clock, poll_s),
        HoldPolicy(settings.gas_share_bp_max, settings.token_value_wei, settings.posting_age_s_max),
        wait_s_max,
        clock,
        checkpoint,
    )


def rewards_builder(
    connection: Database, dbt: Dbt, built: Callable[[Built], None]
) -> Callable[[int], Sequence[Leaf]]:
    """Builds the models of a posting with all their tests, and reads its leaves."""

    def build(posting_id: int) -> Sequence[Leaf]:
        try:
            built(dbt.build(posting_id))
        except DistributaryError as error:
            raise StopError("rewards_failed", str(error)) from error
        return read_leaves(connection, posting_id)

    return build


def index_waiter(
    settings: Settings, connection: Database, clock: Clock, poll_s: float
) -> Callable[[int], None]:
    """Waits until a block is indexed and final; indexes itself where nobody else does."""

    def catch_up(block: int) -> None:
        for _ in range(INDEX_LOOKS_MAX):
            index_to_head(settings)
            progress = read_progress(connection)
            if progress and progress.finalized_block >= block:
                return
            clock.sleep(poll_s)
        raise StopError("indexer_behind", value=f"block {block}")

    return catch_up


def deposit_bond(settlement: Settlement) -> int:
    """Tops up the settler's bond to what the next posting needs; how many units were missing.

    Raises:
        StopError: of a transaction; `call_refused` where the settler lacks the tokens.
    """
    contract = settlement.actions.contract
    missing = contract.bond_missing_units()
    if not missing:
        return 0
    settlement.recover()
    client, transactor = contract.contract.client, settlement.actions.transactor
    token = open_token(client, str(contract.contract.read("token")))
    lacking = missing - int(token.read("balanceOf", contract.settler))
    if lacking > 0 and local.is_local(client):
        transactor.execute(
            "bond:mint", Call(token.address, token.encode("mint", contract.settler, lacking))
        )
    approval = token.encode("approve", contract.contract.address, missing)
    transactor.execute("bond:approve", Call(token.address, approval))
    bond = contract.contract.encode("depositBond", missing)
    transactor.execute("bond:deposit", Call(contract.contract.address, bond))
    return missing


def hold_fail_safe(settlement: Settlement) -> None:
    """Shuts the contract's fail-safe for half of its time, so that a posting can catch up.

    Raises:
        StopError: of a transaction; `call_refused` where it is not open, or was held just before.
    """
    contract = settlement.actions.contract.contract
    call = Call(contract.address, contract.encode("holdFailSafe"))
    settlement.recover()
    settlement.actions.transactor.execute("hold:fail-safe", call)


def compare(settings: Settings, connection: Database) -> tuple[int, list[Figure]]:
    """Indexes what there is, and holds the ledger against the chain.

    Raises:
        StopError: `indexer_behind`.
        UnavailableError: Postgres or the node does not answer.
    """
    index_to_head(settings)
    client = open_client(settings)
    contract, deployment = check_contract(settings, client)
    return Reconciler(connection, contract, open_token(client, deployment.token)).run()


def reconcile(settings: Settings, connection: Database) -> None:
    """Raises where ledger and chain differ.

    Raises:
        StopError: `ledger_differs`, naming the figures.
    """
    block, figures = compare(settings, connection)
    differing = [f"{each.name} by {each.difference} units" for each in figures if each.difference]
    if differing:
        raise StopError("ledger_differs", f"At block {block}.", value="; ".join(differing[:10]))


def plan(settings: Settings) -> dict[str, Any]:
    """What a run of settlement would do; nothing is written and no key is needed.

    Raises:
        UnavailableError: Postgres or the node does not answer.
    """
    client = open_client(settings)
    opened, _ = check_contract(settings, client)
    with connect(settings.require("postgres")) as connection:
        connection.read_only = True
        settler = str(opened.read("settler"))
        rows = Transactions(connection, settings.chain_id, settler)
        closed = connection.execute(
            """
            select epoch from epochs where state = 'closed' and cut_block is not null
                and epoch not in (select epoch from epoch_commits where state <> 'closed')
            order by epoch
            """
        ).fetchall()
        in_flight = posting_in_flight(connection)
        return {
            "settler": settler,
            "nonce_in_flight": [row.purpose for row in rows.live()][:1],
            "commit": [epoch for (epoch,) in closed],
            "bind": [owner for owner, _ in unbound_on_chain(connection)],
            "posting_in_flight": in_flight.posting_id if in_flight else None,
            "post": [each.epoch for each in unposted_epochs(connection)],
            "base_fee_wei": str(Node(client).block("latest").base_fee_wei),
        }


@contextmanager
def suppress_running() -> Iterator[None]:
    """Another indexer at work is as good as our own."""
    try:
        yield
    except UnavailableError as error:
        if error.code != "index_running":
            raise


def index_to_head(settings: Settings) -> None:
    """Indexes what there is, where no indexer is at work."""
    with suppress_running():
        index_once(settings)
