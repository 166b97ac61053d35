"""One run of settlement: from closed epochs to an active root, or to where it has to wait."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestration.settlement import postings
from orchestration.settlement.actions import Actions
from orchestration.settlement.clock import Checkpoint, Clock, SystemClock, no_checkpoint
from orchestration.settlement.fees import first_tip_wei
from orchestration.settlement.following import Follower
from orchestration.settlement.holding import HoldPolicy, hold
from orchestration.settlement.inputs import unbound_on_chain
from orchestration.settlement.postings import Database, EpochCommit, Posted
from orchestration.settlement.preparing import Preparer
from orchestration.settlement.report import Report
from orchestration.settlement.standing import check_not_ahead
from orchestration.settlement.stops import StopError
from orchestration.settlement.transactor import Outcome

logger = logging.getLogger(__name__)

# Each is a transaction that has to be final; more of them wait for the next run.
BINDINGS_MAX: Final = 20
SET_ASIDE: Final = frozenset(("call_refused", "posted_differs"))


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
        """Checks contract and chain, ends what an earlier run left, redoes what a re-org undid."""
        self.actions.contract.check()
        self.recover()
        check_not_ahead(self.connection, self.actions.head_state(), self._is_commit_sent)
        self._follower().redo()

    def compute(self) -> Posted | None:
        """The posting in flight, or the next one, computed; None where there is none, or a wait."""
        if self.report.waiting:
            return None
        return postings.posting_in_flight(self.connection) or self.next_posting()

    def finish(self) -> None:
        """Takes the posting in flight to its end, or to where it waits."""
        while not self.report.waiting:
            posting = postings.posting_in_flight(self.connection)
            if posting is None:
                return
            self._follower().advance(posting)

    def recover(self) -> None:
        """Ends the transaction that an earlier run left; what it did is read from the chain."""
        outcome = self.actions.transactor.recover()
        if outcome not in (None, Outcome.SUCCEEDED):
            logger.warning({"msg": "the transaction of an earlier run", "outcome": str(outcome)})

    def _is_commit_sent(self, epoch: EpochCommit) -> bool:
        return bool(self.actions.transactor.rows.finished(f"commit:{epoch.epoch}"))

    def _follower(self) -> Follower:
        return Follower(
            *(self.connection, self.lake, self.actions, self.report),
            *(self.wait_s_max, self.clock, self.checkpoint),
        )

    def commit_epochs(self) -> None:
        """Commits closed epochs in order."""
        postings.take_closed_epochs(self.connection)
        for epoch in postings.list_commits(self.connection, "closed"):
            self.actions.commit(epoch)
            self.report.committed.append(epoch.epoch)

    def bind_owners(self) -> None:
        """Carries bindings to the chain, so that a posting that pins a later block pays them.

        One that the contract refuses is set aside: its owner goes on earning into `unclaimed`.
        """
        for owner, payee in unbound_on_chain(self.connection):
            if len(self.report.bound) == BINDINGS_MAX:
                return
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
