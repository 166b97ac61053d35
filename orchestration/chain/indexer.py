"""Follows the contract's events into Postgres: to the head, through re-orgs, from anywhere.

One step is one transaction, so a crash anywhere repeats a step and nothing else:

- *rewound*: the node has another block at a height that we know: everything after the true common
  ancestor is removed;
- *advanced*: finalized blocks by ranges, later ones one by one, each a child of the one before;
- *idle*: the head is indexed, or the node is behind what it has shown.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from orchestration.chain import rows
from orchestration.chain.client import Block, Client, is_range_refused
from orchestration.chain.errors import ChainStopError, NodeUnavailableError, RpcError
from orchestration.chain.events import ChainEvent
from orchestration.chain.rows import Database, Deployment, Progress

log = logging.getLogger(__name__)

RANGE_BLOCKS_MAX: Final = 2_000  # what the strictest public nodes allow
TAIL_BLOCKS_MAX: Final = 64  # of one transaction, two calls each
ANCESTORS_MAX: Final = 100_000
STALE_S: Final = 120  # ten blocks of the slowest chain in wide use

Decode = Callable[[Mapping[str, Any]], ChainEvent]


class Did(StrEnum):
    """What a step did."""

    ADVANCED = "advanced"
    REWOUND = "rewound"
    IDLE = "idle"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it did, up to which block we are, and whether the node is stale."""

    did: Did
    indexed_block: int
    head_block: int
    events: int = 0
    stale: bool = False


class _MovedError(Exception):
    """The chain changed under our hands: look again."""


@dataclass
class Indexer:
    """Indexes one contract through one node.

    Attributes:
        client: the node.
        connection: in autocommit; its owner holds the indexer's lock.
        deployment: the contract.
        decode: decodes its logs.
        clock: Unix seconds; tells only whether the node is stale.
        range_blocks: finalized blocks asked for at once; halved where a node refuses.
        stale_s: a head older than this is a stale node's.
        may_rewind_finalized: a person has looked, and what was finalized may go.
    """

    client: Client
    connection: Database
    deployment: Deployment
    decode: Decode
    clock: Callable[[], float]
    range_blocks: int = RANGE_BLOCKS_MAX
    stale_s: int = STALE_S
    may_rewind_finalized: bool = False
    _range: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._range = self.range_blocks

    def step(self) -> Step:
        """Does what is due, once.

        Raises:
            NodeUnavailableError: the node does not answer, or contradicts itself for long.
            ChainStopError: `chain_replaced`, `finality_broken`, `events_missing`.
        """
        head, finalized = self._named("latest"), self._named("finalized")
        progress = rows.read_progress(self.connection)
        if progress is not None:
            known = rows.last_block(self.connection, min(progress.indexed_block, head.number))
            if known is None:
                return self._look(progress, head, Did.BEHIND)
            if self._hash_at(known.number) not in (known.hash, None):
                return self._rewind(progress, known, head)
            if head.number < progress.indexed_block:
                return self._look(progress, head, Did.BEHIND)
        return self._advance(progress, head, finalized)

    def _named(self, tag: str) -> Block:
        found = self.client.block(tag)
        if found is None:
            raise NodeUnavailableError(f"The node has no {tag} block yet.")
        return found

    def _hash_at(self, number: int) -> bytes | None:
        found = self.client.block(number)
        return found.hash if found else None

    def _look(self, progress: Progress, head: Block, did: Did) -> Step:
        """Notes that the node was seen; a node that is behind proves nothing about our blocks."""
        seen = replace(progress, seen_at_s=int(self.clock()))
        if did is not Did.BEHIND:
            seen = replace(seen, head_block=head.number, head_at_s=head.at_s)
        rows.save_progress(self.connection, seen)
        return self._step(did, progress.indexed_block, head)

    def _step(self, did: Did, indexed: int, head: Block, events: int = 0) -> Step:
        stale = did is Did.BEHIND or self.clock() - head.at_s > self.stale_s
        if stale:
            log.warning({"msg": "the node is stale", "head": head.number, "head_at_s": head.at_s})
        return Step(did, indexed, head.number, events, stale)

    def _advance(self, progress: Progress | None, head: Block, finalized: Block) -> Step:
        first = self.deployment.deployed_block if progress is None else progress.indexed_block + 1
        if first > head.number:
            if progress is None:
                return self._step(Did.BEHIND, 0, head)
            return self._finish(progress, [], [], head, finalized)
        try:
            if first <= finalized.number:
                blocks, events = self._by_range(first, finalized.number)
            else:
                blocks, events = self._one_by_one(first, head.number)
        except _MovedError:
            return self._step(Did.IDLE, first - 1, head)
        return self._finish(progress, blocks, events, head, finalized)

    def _by_range(self, first: int, last: int) -> tuple[list[Block], list[ChainEvent]]:
        """Finalized blocks: only those with events are read, and both ends."""
        last = min(last, first + self._range - 1)
        try:
            found = self.client.logs(self.deployment.contract, span=(first, last))
        except RpcError as error:
            if not is_range_refused(error) or self._range == 1:
                raise
            self._range //= 2
            return self._by_range(first, last)
        events = _ordered(map(self.decode, found))
        numbers = sorted({first, last, *(event.block for event in events)})
        blocks = {number: self._block(number) for number in numbers}
        self._check_parent(blocks[first])
        if any(blocks[event.block].hash != event.block_hash for event in events):
            raise _MovedError
        return list(blocks.values()), events

    def _one_by_one(self, first: int, last: int) -> tuple[list[Block], list[ChainEvent]]:
        """Blocks that may still go: each is a child of the one before, its logs are by hash."""
        blocks: list[Block] = []
        events: list[ChainEvent] = []
        for number in range(first, min(last, first + TAIL_BLOCKS_MAX - 1) + 1):
            block = self._block(number)
            if blocks and block.parent_hash != blocks[-1].hash:
                raise _MovedError
            if not blocks:
                self._check_parent(block)
            blocks.append(block)
            events += self._events_of(block)
        return blocks, events

    def _events_of(self, block: Block) -> list[ChainEvent]:
        try:
            found = self.client.logs(self.deployment.contract, block_hash=block.hash)
        except RpcError as error:  # the node has dropped that very block meanwhile
            raise _MovedError from error
        return _ordered(map(self.decode, found))

    def _block(self, number: int) -> Block:
        found = self.client.block(number)
        if found is None or found.number != number:
            raise _MovedError
        return found

    def _check_parent(self, block: Block) -> None:
        before = rows.last_block(self.connection, block.number - 1)
        if before is not None and block.parent_hash != before.hash:
            raise _MovedError

    def _finish(
        self,
        progress: Progress | None,
        blocks: list[Block],
        events: list[ChainEvent],
        head: Block,
        finalized: Block,
    ) -> Step:
        indexed = blocks[-1].number if blocks else progress.indexed_block if progress else 0
        before = progress.finalized_block if progress else self.deployment.deployed_block
        now = Progress(
            indexed_block=indexed,
            # It only rises: a node that is behind does not make a final block less final.
            finalized_block=min(indexed, max(before, finalized.number)),
            head_block=head.number,
            head_at_s=head.at_s,
            seen_at_s=int(self.clock()),
        )
        with self.connection.transaction():
            rows.append(self.connection, blocks, events)
            rows.save_progress(self.connection, now)
        did = Did.ADVANCED if blocks else Did.IDLE
        return self._step(did, indexed, head, len(events))

    def _rewind(self, progress: Progress, known: Block, head: Block) -> Step:
        ancestor = self._ancestor(known)
        if ancestor.number < progress.finalized_block and not self.may_rewind_finalized:
            raise ChainStopError(
                f"The node has other blocks after {ancestor.number}, and "
                f"{progress.finalized_block} was finalized: ask a second node; if the chain really "
                "went back, run `distributary index --rewind-finalized` once.",
                value=known.number,
                code="finality_broken",
            )
        with self.connection.transaction():
            now = replace(
                progress,
                indexed_block=ancestor.number,
                finalized_block=min(progress.finalized_block, ancestor.number),
                head_block=head.number,
                head_at_s=head.at_s,
                seen_at_s=int(self.clock()),
            )
            rows.save_progress(self.connection, now)
            dropped = rows.drop_after(self.connection, ancestor.number)
        log.warning({"msg": "re-org", "ancestor": ancestor.number, "blocks_dropped": dropped})
        return self._step(Did.REWOUND, ancestor.number, head)

    def _ancestor(self, known: Block) -> Block:
        """The last stored block that the node has too."""
        block: Block | None = known
        for _ in range(ANCESTORS_MAX):
            block = rows.last_block(self.connection, block.number - 1) if block else None
            if block is None:
                break
            if self._hash_at(block.number) == block.hash:
                return block
        raise ChainStopError(
            "The node has none of the blocks that were indexed: it is another chain with the same "
            "number. Give the node of before, or begin with a new database.",
            value=known.number,
            code="chain_replaced",
        )


def _ordered(events: Any) -> list[ChainEvent]:
    return sorted(events, key=lambda event: (event.block, event.log_index))
