"""Which charges an account's credit pays: whole charges, older epochs first, then by hash."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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


class Placement(NamedTuple):
    """In which epoch each charge of a posting is funded.

    Attributes:
        elsewhere: by request hash, the epoch that funds it, None if none does; only of charges
            that are not funded in the epoch that they stand in.
    """

    elsewhere: Mapping[str, int | None]

    def epoch(self, request_hash: str, stands_in: int) -> int | None:
        """The epoch that funds a charge."""
        return self.elsewhere.get(request_hash, stands_in)


class Funding(NamedTuple):
    """What becomes of the charges of a posting.

    Attributes:
        charges: each once, as the posting leaves it, in order of deciding epoch and hash.
        placement: in which epoch each is funded.
        charged: funded units by account.
    """

    charges: Sequence[Charge]
    placement: Placement
    charged: Mapping[str, int]


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


@dataclass
class Funder:
    """Funds the charges of one epoch after the other, and carries from each to the next.

    Attributes:
        available: credit by account, base units.
        frozen: by frozen account, the last epoch in which it still pays.
        waiting: what is carried into the next epoch.
        elsewhere: as `Placement` has it.
        charged: funded units by account.
    """

    available: dict[str, int]
    frozen: Mapping[str, int]
    waiting: list[Candidate]
    elsewhere: dict[str, int | None] = field(init=False)
    charged: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """What is carried in is funded nowhere until an epoch funds it."""
        self.elsewhere = dict.fromkeys(each.request_hash for each in self.waiting)

    def decide(
        self, epoch: int, candidates: Sequence[Candidate], rule: PayoutRule, *, is_last: bool
    ) -> list[Charge]:
        """Decides the charges of an epoch and those carried into it, one by one.

        Returns:
            The charges that leave; one that is carried leaves the last epoch only.
        """
        own_epochs = {each.request_hash: each.own_epoch for each in self.waiting}
        charges = fund(epoch, [*self.waiting, *candidates], self.available, self.frozen, rule)
        self.waiting, leaving = [], []
        for charge in charges:
            if charge.state is State.FUNDED:
                self.charged[charge.account] = self.charged.get(charge.account, 0) + charge.units
                if charge.request_hash in self.elsewhere:
                    self.elsewhere[charge.request_hash] = epoch
            else:
                self.elsewhere[charge.request_hash] = None
            if charge.state is State.CARRIED and not is_last:
                own_epoch = own_epochs.get(charge.request_hash, epoch)
                self.waiting.append(Candidate(own_epoch, *charge[1:4]))
            else:
                leaving.append(charge)
        return leaving

    def pay_whole(self, account: str, units: int) -> bool:
        """Funds all charges of an account's epoch at once, if their order cannot matter."""
        if account in self.frozen or units > self.available.get(account, 0):
            return False
        self.available[account] = self.available.get(account, 0) - units
        self.charged[account] = self.charged.get(account, 0) + units
        return True

    def funding(self, charges: Sequence[Charge]) -> Funding:
        """What became of all charges."""
        return Funding(charges, Placement(self.elsewhere), self.charged)
