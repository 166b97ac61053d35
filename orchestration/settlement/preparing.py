"""From committed epochs to a computed posting: pin, write, build twice, pass the gate, store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distributary.datanets.durable import make_folder
from distributary.merkle import build_tree
from distributary.rewards.inputs import write_inputs
from distributary.rewards.leaves import Leaf
from distributary.rewards.manifest import (
    NAME,
    ZERO_ROOT,
    PostedEpoch,
    SettlementManifest,
    posting_folder,
    write_manifest,
)
from distributary.rewards.outputs import write_outputs
from distributary.rewards.posting import Posting, open_posting, rule_files
from distributary.rewards.reference import Computed, compute_posting
from distributary.store.settlement_inputs import write_posting
from orchestration.chain.rows import read_progress
from orchestration.settlement import inputs, postings
from orchestration.settlement.clock import Checkpoint, no_checkpoint
from orchestration.settlement.contract import ZERO, SettlementContract
from orchestration.settlement.posting_files import read_whole
from orchestration.settlement.postings import Database, EpochCommit, Posted
from orchestration.settlement.stops import StopError

BuildRewards = Callable[[int], Sequence[Leaf]]
"""Builds the reward models of a posting (by its id) and returns their leaves, in any order."""

Gate = Callable[[Posted], None]
"""Checks a computed posting.

Raises:
    StopError: `gate_failed`, `epoch_held`.
"""

ATTEMPTS_MAX: Final = 1_000


@dataclass
class Preparer:
    """Computes the next posting; each step may be repeated, and nothing of it is signed."""

    connection: Database
    lake: Path
    contract: SettlementContract
    build_rewards: BuildRewards
    gate: Gate
    checkpoint: Checkpoint = no_checkpoint

    def prepare(self, epochs: Sequence[EpochCommit]) -> Posted | None:
        """Computes the posting of these epochs; None where there is nothing to post.

        Args:
            epochs: contiguous, committed, none of them covered yet.

        Raises:
            StopError: `indexer_behind`, `indexer_differs`, `inputs_altered`, `roots_differ`,
                `rewards_failed`, `gate_failed`, `epoch_held`.
            DistributaryError: of the reference.
        """
        manifest = self._manifest(epochs)
        posting = open_posting(self.lake, manifest)
        posting_id = self._write(posting)
        self.checkpoint("before rewards")
        leaves = self.build_rewards(posting_id)
        self.checkpoint("after rewards")
        computed = compute_posting(posting)
        check_same(leaves, computed)
        if computed.root == ZERO_ROOT:
            return None
        write_outputs(self.lake / manifest.folder, computed)
        posted = _posted(posting_id, manifest, computed)
        self.checkpoint("before gate")
        self.gate(posted)
        self.checkpoint("before computed")
        postings.insert_posting(self.connection, posted)
        self.checkpoint("after computed")
        return posted

    def _manifest(self, epochs: Sequence[EpochCommit]) -> SettlementManifest:
        """The manifest that an interrupted run left, if it still holds, else a new one."""
        pinned_block = self._pinned(epochs)
        before = postings.active_posting(self.connection)
        parent = (before.root if before else ZERO).hex()
        first, last = epochs[0].epoch, epochs[-1].epoch
        attempt, left = self._attempt(first, last, "0x" + parent)
        if left:
            return left
        path = self.lake / posting_folder(first, last, attempt) / NAME
        make_folder(path.parent)
        with self.connection.transaction():
            self.connection.execute("set transaction isolation level repeatable read")
            found = inputs.read_all(self.connection, self.lake, epochs, pinned_block, before)
        self.checkpoint("before inputs")
        manifest = SettlementManifest(
            chain_id=self.contract.chain_id,
            contract=self.contract.contract.address,
            from_epoch=first,
            to_epoch=last,
            attempt=attempt,
            parent_root="0x" + parent,
            previous_cut_block=self._cut_before(first, before),
            pinned_block=pinned_block,
            grace_blocks=self.contract.grace_blocks(),
            epochs=tuple(PostedEpoch(e.epoch, e.cut_block, e.answers_hash.hex()) for e in epochs),
            rules=rule_files(),
            files=write_inputs(path.parent, found),
        )
        self.checkpoint("before manifest")
        write_manifest(self.lake, manifest)
        self.checkpoint("after manifest")
        return manifest

    def _attempt(
        self, first: int, last: int, parent_root: str
    ) -> tuple[int, SettlementManifest | None]:
        """The next attempt, and the manifest that an interrupted run left for it.

        One that does not hold any more is passed over: nothing of it was signed, and all but the
        answers can be read anew.
        """
        known = postings.next_attempt(self.connection, first)
        attempt = max(known, self.contract.attempt_min())
        lowest, written = self.contract.pinned_block_min(), self._written(first, last)
        for number in range(attempt, attempt + ATTEMPTS_MAX):
            folder = self.lake / posting_folder(first, last, number)
            if number not in written and not (folder / NAME).exists():
                return number, None
            left = read_whole(folder)
            if left is None or written.get(number, left.hash) != left.hash:
                continue
            here = (self.contract.chain_id, self.contract.contract.address, parent_root)
            if (left.chain_id, left.contract, left.parent_root) == here and (
                left.pinned_block >= lowest
            ):
                return number, left
        raise StopError("inputs_altered", value=f"{ATTEMPTS_MAX} attempts of epoch {first}")

    def _written(self, first: int, last: int) -> dict[int, str]:
        """The manifest's hash by attempt, where its rows stand in Postgres."""
        rows = self.connection.execute(
            """
            select attempt, encode(manifest_hash, 'hex') from settlement.postings_in
            where (from_epoch, to_epoch) = (%s, %s)
            """,
            (first, last),
        ).fetchall()
        return {attempt: hash_ for attempt, hash_ in rows}  # noqa: C416

    def _cut_before(self, first: int, before: Posted | None) -> int | None:
        if before is None:
            return None
        commit = postings.find_commit(self.connection, first - 1)
        return commit.cut_block if commit else None

    def _pinned(self, epochs: Sequence[EpochCommit]) -> int:
        """A final block that is indexed, at which the indexer's sum is the contract's."""
        progress = read_progress(self.connection)
        pinned = progress.finalized_block if progress else -1
        if pinned < max(epochs[-1].cut_block, self.contract.pinned_block_min()):
            raise StopError("indexer_behind", value=pinned)
        accounts = inputs.read_accounts(self.connection, pinned).values()
        indexed = sum(funds.deposited_units - funds.withdrawn_units for funds in accounts)
        if indexed != self.contract.credit_units(pinned):
            raise StopError("indexer_differs", value=f"block {pinned}")
        return pinned

    def _write(self, posting: Posting) -> int:
        """The inputs as rows, under the number that they have, or the next one."""
        self.checkpoint("before rows")
        row = self.connection.execute(
            """
            select coalesce(
                (select posting_id from settlement.postings_in where manifest_hash = %s),
                (select coalesce(max(posting_id), 0) + 1 from settlement.postings_in))
            """,
            (bytes.fromhex(posting.manifest.hash),),
        ).fetchone()
        posting_id = int(row[0]) if row else 1
        write_posting(self.connection, posting_id, posting)
        self.checkpoint("after rows")
        return posting_id


def check_same(leaves: Sequence[Leaf], computed: Computed) -> None:
    """The reference must give the leaves that dbt gave, and so the root.

    Raises:
        StopError: `roots_differ`, naming the first leaf that does.
    """
    built = {(leaf.kind, leaf.address): leaf.cumulative_units for leaf in leaves}
    wanted = {(leaf.kind, leaf.address): leaf.cumulative_units for leaf in computed.leaves}
    for key in sorted(built.keys() | wanted.keys()):
        if built.get(key) != wanted.get(key):
            raise StopError(
                "roots_differ",
                f"dbt gives {built.get(key)}, the reference {wanted.get(key)}.",
                value=f"{key[0]} {key[1]}",
            )
    root = build_tree(sorted(leaves)).root if leaves else ZERO_ROOT
    if len(built) != len(leaves) or root != computed.root:
        raise StopError("roots_differ", value=root)


def _posted(posting_id: int, manifest: SettlementManifest, computed: Computed) -> Posted:
    return Posted(
        posting_id=posting_id,
        from_epoch=manifest.from_epoch,
        to_epoch=manifest.to_epoch,
        attempt=manifest.attempt,
        state="computed",
        parent_root=bytes.fromhex(manifest.parent_root[2:]),
        root=bytes.fromhex(computed.root[2:]),
        earned_total_units=computed.earned_total,
        charged_total_units=computed.charged_total,
        pinned_block=manifest.pinned_block,
        settlement_hash=bytes.fromhex(manifest.hash),
        leaves=len(computed.leaves),
    )
