"""One run of settlement: from closed epochs to an active root, or to where it has to wait."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from distributary.store.settlement_inputs import post_leaves
from orchestration.chain.errors import RevertedError
from orchestration.settlement import postings
from orchestration.settlement.actions import Actions
from orchestration.settlement.clock import Checkpoint, Clock, SystemClock, no_checkpoint
from orchestration.settlement.contract import ZERO, ChainState, Pending
from orchestration.settlement.fees import first_tip_wei
from orchestration.settlement.holding import HoldPolicy, hold
from orchestration.settlement.inputs import unbound_on_chain
from orchestration.settlement.postings import Database, EpochCommit, Posted
from orchestration.settlement.preparing import Preparer, read_leaves
from orchestration.settlement.stops import StopError
from orchestration.settlement.transactor import Outcome

logger = logging.getLogger(__name__)

WAIT_POLL_S: Final = 1.0
# Each is a transaction that has to be final; more of them wait for the next run.
BINDINGS_MAX: Final = 20
SET_ASIDE: Final = frozenset(("call_refused", "posted_differs"))


@dataclass
class Report:
    """What a run did, for a person and for JSON.

    Attributes:
        committed: epochs that were committed.
        posted: postings that were sent, by number.
        active: postings that became active, by number.
        rejected: postings that were rejected, by number.
        bound: owners that were bound on the chain.
        refused: owners that the contract binds not so.
        waiting: why the rest waits, in a word, and what for; empty when nothing does.
    """

    committed: list[int] = field(default_factory=list)
    posted: list[int] = field(default_factory=list)
    active: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    waiting: dict[str, Any] = field(default_factory=dict)


@dataclass
class Settlement:
    """Settles whatever is closed; run it again whenever it stopped.

    Attributes:
        connection: holds the settler's lock.
        lake: the lake folder.
        actions: what is done on the chain.
        preparer: computes postings.
        catch_up: has the chain indexed up to a block.
        hold_policy: when gas is too dear.
        wait_s_max: longest wait for an activation delay; longer ones end the run.
        clock: decides only when to look again.
        checkpoint: crash points of tests.
    """

    connection: Database
    lake: Path
    actions: Actions
    preparer: Preparer
    catch_up: Callable[[int], None]
    hold_policy: HoldPolicy = field(default_factory=HoldPolicy)
    wait_s_max: int = 60
    clock: Clock = field(default_factory=SystemClock)
    checkpoint: Checkpoint = no_checkpoint
    report: Report = field(default_factory=Report)

    def run(self) -> Report:
        """Goes on until nothing is left to do, or something has to be waited for.

        Raises:
            StopError: a named stop; running again goes on from there.
            UnavailableError: Postgres or the node does not answer.
        """
        self.begin()
        self.commit_epochs()
        self.bind_owners()
        while not self.report.waiting and self.compute():
            self.finish()
        return self.report

    def begin(self) -> None:
        """Checks contract and chain, and ends what an earlier run left in flight."""
        self.actions.contract.check()
        self.recover()
        self.check_not_ahead()

    def compute(self) -> Posted | None:
        """The posting in flight, or the next one, computed; None where there is none."""
        return postings.posting_in_flight(self.connection) or self.next_posting()

    def finish(self) -> None:
        """Takes the posting in flight to its end, or to where it waits."""
        while not self.report.waiting:
            posting = postings.posting_in_flight(self.connection)
            if posting is None:
                return
            self.advance(posting)

    def recover(self) -> None:
        """Ends the transaction that an earlier run left; what it did is read from the chain."""
        outcome = self.actions.transactor.recover()
        if outcome not in (None, Outcome.SUCCEEDED):
            logger.warning({"msg": "the transaction of an earlier run", "outcome": str(outcome)})

    def check_not_ahead(self) -> None:
        """The chain holds nothing of ours that the database does not know.

        Raises:
            StopError: `chain_ahead`: the database is older than the chain, as after a restore;
                `active_differs`.
        """
        state = self.actions.contract.state(self.actions.node.block("latest").number)
        known = {
            epoch.epoch
            for epoch in postings.list_commits(self.connection)
            if epoch.state != "closed"
            or self.actions.transactor.rows.finished(f"commit:{epoch.epoch}")
        }
        ahead = [e for e in range(min(known, default=0), state.next_commit) if e not in known]
        if state.next_commit and ahead:
            raise StopError("chain_ahead", value=f"commit of epoch {max(ahead)}")
        in_flight = postings.posting_in_flight(self.connection)
        ours = (in_flight.root, in_flight.attempt) if in_flight else None
        if state.pending and (state.pending.root, state.pending.attempt) != ours:
            raise StopError("chain_ahead", value=f"pending root 0x{state.pending.root.hex()}")
        active = postings.active_posting(self.connection)
        expected = {active.root if active else ZERO, in_flight.root if in_flight else None}
        if state.active_root not in expected:
            raise StopError("chain_ahead", value=f"active root 0x{state.active_root.hex()}")

    def commit_epochs(self) -> None:
        """Commits closed epochs in order, after those whose commit a new settler's start undid."""
        postings.take_closed_epochs(self.connection)
        next_commit = self.actions.final_state().next_commit
        unposted = postings.unposted_epochs(self.connection)
        undone = [epoch for epoch in unposted if epoch.epoch >= next_commit]
        for epoch in undone + postings.list_commits(self.connection, "closed"):
            self.actions.commit(epoch)
            self.report.committed.append(epoch.epoch)

    def bind_owners(self) -> None:
        """Carries bindings to the chain, so that a posting that pins a later block pays them.

        One that the contract refuses is set aside: its owner goes on earning into `unclaimed`.
        """
        for owner, payee in unbound_on_chain(self.connection)[:BINDINGS_MAX]:
            try:
                self.actions.bind(owner, payee)
            except StopError as stop:
                if stop.code not in SET_ASIDE:
                    raise
                logger.warning({"msg": "binding refused", "owner": owner, "why": str(stop)})
                self.report.refused.append(owner)
            else:
                self.report.bound.append(owner)

    def next_posting(self) -> Posted | None:
        """Computes the next posting, unless there is nothing to post or gas is too dear."""
        epochs = postings.unposted_epochs(self.connection)
        if not epochs or self._is_held(epochs):
            return None
        block = self.actions.final_state().block
        self.catch_up(max(block, epochs[-1].cut_block))
        return self.preparer.prepare(epochs)

    def _is_held(self, epochs: Sequence[EpochCommit]) -> bool:
        row = self.connection.execute(
            """
            select coalesce((select sum(charge_units) from answers
                    where epoch = any(%(epochs)s) and outcome = 'charged'), 0),
                (select extract(epoch from min(closed_at))::int8 from epochs
                    where epoch = any(%(epochs)s))
            """,
            {"epochs": [each.epoch for each in epochs]},
        ).fetchone()
        units, closed_at_s = (int(row[0]), int(row[1])) if row else (0, 0)
        transactor = self.actions.transactor
        tip = first_tip_wei(self.actions.node.tips_wei(), transactor.policy)
        price = self.actions.node.block("latest").base_fee_wei + tip
        held = hold(units, price, self.clock.now_s() - closed_at_s, self.hold_policy)
        if held:
            self.report.waiting = {
                "for": "gas",
                "cost_wei": str(held.cost_wei),
                "cost_wei_max": str(held.cost_wei_max),
            }
        return held is not None

    def advance(self, posting: Posted) -> None:
        """Moves a posting one state on, or says what it waits for."""
        if posting.state == "computed":
            self._send(posting)
        else:
            self._follow(posting, self.actions.final_state())

    def _send(self, posting: Posted) -> None:
        state = self.actions.final_state()
        is_there = state.pending is not None or state.has_active(posting)
        if not is_there and state.pinned_block_min > posting.pinned_block:
            return self._reject(posting, "pin_too_early")
        if not is_there and state.attempt_min > posting.attempt:
            return self._reject(posting, "attempt_used")
        if not is_there and (missing := self.actions.contract.bond_missing_units()):
            raise StopError(
                "bond_too_low", "Run `distributary settle --bond`.", value=f"{missing} units"
            )
        self.actions.post(posting)
        self.report.posted.append(posting.posting_id)
        return None

    def _follow(self, posting: Posted, state: ChainState) -> None:
        """What became of a posting that was sent."""
        if state.has_active(posting):
            self._activated(posting, state.block)
        elif state.active_root != posting.parent_root:
            raise StopError("active_differs", value="0x" + state.active_root.hex())
        elif state.pending is None:
            self._reject(posting, "dropped")
        elif state.pending.is_disputed:
            self._disputed(posting)
        else:
            self._await(posting, state.pending)

    def _await(self, posting: Posted, pending: Pending) -> None:
        """Waits out the delay where that is short, then activates."""
        due = pending.active_at_s
        for _ in range(self.wait_s_max + 1):
            head = self.actions.node.block("latest")
            if head.at_s >= due:
                return self.actions.activate(posting)
            if due - head.at_s > self.wait_s_max:
                break
            self.clock.sleep(WAIT_POLL_S)
        self.report.waiting = {"for": "activation", "at_s": due}
        return None

    def _disputed(self, posting: Posted) -> None:
        """A dispute is the arbiter's; one that he let lapse may be ended by anybody."""
        try:
            self.actions.node.estimate_gas(
                {
                    "from": self.actions.contract.settler,
                    "to": self.actions.contract.contract.address,
                    "data": self.actions.contract.expire().data,
                }
            )
        except RevertedError:
            self.report.waiting = {"for": "arbiter", "posting": posting.posting_id}
            return
        self.actions.expire(posting)

    def _activated(self, posting: Posted, block: int) -> None:
        """Active on the chain: its leaves are copied with the move, in one transaction."""
        leaves = read_leaves(self.lake, posting)
        self.checkpoint("before active")
        with self.connection.transaction():
            postings.mark_active(self.connection, posting, block)
            post_leaves(self.connection, posting.posting_id, leaves)
        self.checkpoint("after active")
        self.report.active.append(posting.posting_id)

    def _reject(self, posting: Posted, reason: str) -> None:
        self.checkpoint("before rejected")
        postings.mark_rejected(self.connection, posting, reason)
        self.checkpoint("after rejected")
        self.report.rejected.append(posting.posting_id)
