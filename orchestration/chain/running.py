"""The indexer as a process: one place a database, waits for what is away, ends on a signal."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import psycopg

from distributary.errors import InputError, UnavailableError
from distributary.settings import Settings
from distributary.store import connect
from orchestration.chain.client import open_client
from orchestration.chain.deploy import check_contract
from orchestration.chain.errors import NodeUnavailableError, RpcError
from orchestration.chain.events import decoder
from orchestration.chain.indexer import Did, Indexer, Step
from orchestration.chain.rows import Database, keep_deployment, read_deployment, try_lock

log = logging.getLogger(__name__)

POLL_S: Final = 0.5
STEPS_ONCE_MAX: Final = 1_000_000  # a chain of a billion blocks in ranges of a thousand
MOVES_MAX: Final = 20  # looks at a node that contradicts itself, half a second apart


def open_indexer(
    settings: Settings, connection: Database, *, may_rewind_finalized: bool = False
) -> Indexer:
    """The indexer of the configured contract, in its only place.

    Args:
        settings: endpoints, and the contract.
        connection: in autocommit; its session holds the lock.
        may_rewind_finalized: see `Indexer`.

    Raises:
        InputError: `no_contract`.
        UnavailableError: `index_running`, or node or database do not answer.
        ChainStopError: `wrong_chain`, `wrong_contract`.
    """
    if not settings.has_contract:
        raise InputError(
            "No contract is configured: run `distributary up`, or set DISTRIBUTARY_CHAIN and "
            "DISTRIBUTARY_CONTRACT.",
            code="no_contract",
        )
    if not try_lock(connection):
        raise UnavailableError("Another indexer is at work on this database.", code="index_running")
    client = open_client(settings)
    contract, deployment = check_contract(settings, client)
    kept = read_deployment(connection)
    if kept is not None:
        deployment = replace(deployment, deployed_block=kept.deployed_block)
    keep_deployment(connection, deployment)
    return Indexer(
        client,
        connection,
        deployment,
        decoder(contract.artifact),
        time.time,
        may_rewind_finalized=may_rewind_finalized,
    )


def index_once(
    settings: Settings,
    *,
    may_rewind_finalized: bool = False,
    seen: Callable[[Step], None] = lambda _step: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Step:
    """Indexes up to the head, and says where that is.

    Raises:
        DistributaryError: as `open_indexer` and `Indexer.step`.
    """
    with connect(settings.require("postgres"), autocommit=True) as connection:
        indexer = open_indexer(settings, connection, may_rewind_finalized=may_rewind_finalized)
        moves = 0
        for _ in range(STEPS_ONCE_MAX):
            step = indexer.step()
            seen(step)
            if step.did is Did.BEHIND or step.indexed_block >= step.head_block:
                return step
            if step.did is Did.IDLE:
                moves += 1
                sleep(POLL_S)
            if moves > MOVES_MAX:
                break
    raise NodeUnavailableError("The node contradicts itself: index again, or use another node.")


def index_forever(
    settings: Settings,
    wait: Callable[[float], bool],
    *,
    poll_s: float = POLL_S,
    may_rewind_finalized: bool = False,
) -> None:
    """Indexes until told to stop; a node or database that is away is waited for.

    Args:
        settings: endpoints, and the contract.
        wait: waits so many seconds; True when it is time to end.
        poll_s: pause at the head.
        may_rewind_finalized: see `Indexer`.

    Raises:
        ChainStopError: what a person must look at.
    """
    stopped = False
    while not stopped:
        try:
            with connect(settings.require("postgres"), autocommit=True) as connection:
                indexer = open_indexer(
                    settings, connection, may_rewind_finalized=may_rewind_finalized
                )
                while not stopped:
                    step = indexer.step()
                    if step.did in (Did.ADVANCED, Did.REWOUND):
                        log.info({"msg": f"chain {step.did}", "block": step.indexed_block})
                    at_head = step.indexed_block >= step.head_block
                    rests = at_head or step.did in (Did.IDLE, Did.BEHIND)
                    stopped = wait(poll_s if rests else 0.0)
        except (UnavailableError, RpcError, psycopg.OperationalError) as error:
            log.warning({"msg": "the chain is not indexed", "error": " ".join(str(error).split())})
            stopped = wait(poll_s * 4)
