"""Which charges an account's credit pays: whole charges, older epochs first, then by hash."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from distributary.rules.payout import PayoutRule


class State(StrEnum):
    """What becomes of a charge in a posting."""

    FUNDED = "funded"
    CARRIED = "carried"
    WRITTEN_OFF = "written_off"
    FROZEN = "frozen"


class Candidate(NamedTuple):
    """A charge that waits for money: its own epoch, request hash (hex), account, units."""

    own_epoch: int
    request_hash: str
    account: str
    units: int


class Charge(NamedTuple):
    """A charge as it leaves an epoch; `epoch` is the one that decided it, not its own."""

    epoch: int
    request_hash: str
    account: str
    units: int
    state: State
    reason: str | None


def freeze_epoch(cuts: Sequence[tuple[int, int]], freeze_block: int, grace_blocks: int) -> int:
    """The last epoch in which a frozen account still pays (DESIGN section 7).

    Args:
        cuts: (epoch, cut block) in order; the epoch before the posting's first, if it was posted,
            stands first.
        freeze_block: where the account was frozen.
        grace_blocks: what the contract adds to it.

    Returns:
        The first epoch whose cut block is not before the end of the grace period; the last of
        `cuts` if the period has not ended yet.
    """
    until = freeze_block + grace_blocks
    return next((epoch for epoch, block in cuts if block >= until), cuts[-1][0])


def fund(
    epoch: int,
    candidates: Iterable[Candidate],
    available: dict[str, int],
    frozen: Mapping[str, int],
    rule: PayoutRule,
) -> list[Charge]:
    """Decides the charges of one epoch.

    A frozen account's charges leave for good; one carried too long is written off; one that does
    not fit is carried, and the next is tried.

    Args:
        epoch: the epoch that decides.
        candidates: charges of this epoch and those carried into it, in any order.
        available: credit by account, base units; reduced by what is funded.
        frozen: by account, the last epoch in which it still pays.
        rule: the payout rule of the epoch.

    Returns:
        One charge for each candidate, in order of own epoch and request hash.
    """
    charges = []
    for own_epoch, request_hash, account, units in sorted(candidates):
        if epoch > frozen.get(account, epoch):
            state, reason = State.FROZEN, rule.reasons["frozen"]
        elif epoch - own_epoch >= rule.write_off_epochs:
            state, reason = State.WRITTEN_OFF, rule.reasons["too_old"]
        elif units <= available.get(account, 0):
            available[account] = available.get(account, 0) - units
            state, reason = State.FUNDED, None
        else:
            state, reason = State.CARRIED, rule.reasons["unfunded"]
        charges.append(Charge(epoch, request_hash, account, units, state, reason))
    return charges
