"""Whether the chain holds what the database does not know, or lacks what it does."""

from collections.abc import Callable

from orchestration.settlement import postings
from orchestration.settlement.contract import ZERO, ChainState, Pending
from orchestration.settlement.postings import Database, EpochCommit, Posted
from orchestration.settlement.stops import StopError


def check_not_ahead(
    connection: Database, state: ChainState, is_sent: Callable[[EpochCommit], bool]
) -> None:
    """The chain holds nothing of ours that the database does not know.

    Args:
        connection: any.
        state: what the contract says at the head.
        is_sent: whether the commit of a closed epoch was sent, as an interrupted run leaves it.

    Raises:
        StopError: `chain_ahead`: the database is older than the chain, as after a restore;
            `rejected_pending`.
    """
    known = {
        epoch.epoch
        for epoch in postings.list_commits(connection)
        if epoch.state != "closed" or is_sent(epoch)
    }
    ahead = [e for e in range(min(known, default=0), state.next_commit) if e not in known]
    if state.next_commit and ahead:
        raise StopError("chain_ahead", value=f"commit of epoch {max(ahead)}")
    undone = taken_back(connection, state)
    in_flight = postings.posting_in_flight(connection)
    if state.pending and not _is_of(state.pending, undone or in_flight):
        name = f"pending root 0x{state.pending.root.hex()}"
        if _is_of(state.pending, _rejected(connection, state.pending)):
            raise StopError("rejected_pending", value=name)
        raise StopError("chain_ahead", value=name)
    if state.active_root not in _expected_roots(connection, undone, in_flight):
        raise StopError("chain_ahead", value=f"active root 0x{state.active_root.hex()}")


def _expected_roots(
    connection: Database, undone: Posted | None, in_flight: Posted | None
) -> set[bytes]:
    if undone:
        return {undone.parent_root}
    active = postings.active_posting(connection)
    roots = {active.root if active else ZERO}
    return roots | {in_flight.root} if in_flight else roots


def taken_back(connection: Database, state: ChainState) -> Posted | None:
    """The first posting that is active here and, after a deep re-org, not on the chain."""
    return postings.active_posting_of(connection, state.next_epoch)


def uncommitted(connection: Database, state: ChainState) -> list[EpochCommit]:
    """Epochs that are committed here and, after a deep re-org, not on the chain; in order."""
    commits = postings.list_commits(connection)
    return [e for e in commits if e.state != "closed" and e.epoch >= state.next_commit]


def _rejected(connection: Database, pending: Pending) -> Posted | None:
    return postings.rejected_posting(connection, pending.from_epoch, pending.attempt)


def _is_of(pending: Pending, posting: Posted | None) -> bool:
    return posting is not None and (pending.root, pending.attempt) == (
        posting.root,
        posting.attempt,
    )
