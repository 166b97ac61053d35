"""Reward lines: an epoch's pool divided over roles and assets, and who is paid for each."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from distributary.apportion import largest_remainder
from distributary.attribution.weights import WHOLE
from distributary.canonical import canonical_hash
from distributary.errors import DistributaryError
from distributary.rules import BASIS_POINTS
from distributary.rules.payout import PayoutRule

PARTS = BASIS_POINTS * WHOLE  # what the weights of one charged unit sum to: 10^13

Key = tuple[str, str]  # role and asset


class Line(NamedTuple):
    """A reward line.

    Attributes:
        epoch: the epoch whose pool pays it.
        role: a role of the split, `commons`, `release` or `refund`.
        asset: what earned; of a release the owner, of a refund the request hash.
        owner: the owner's label, empty where there is none.
        payee: an address, or a ledger account.
        units: base units, above zero.
        reason: why there is no address, or why this line is; None for an ordinary one.
    """

    epoch: int
    role: str
    asset: str
    owner: str
    payee: str
    units: int
    reason: str | None


class Ownership(Protocol):
    """Who owns what, and who is bound to which address, at the pinned block."""

    @property
    def assets(self) -> Mapping[Key, str]:
        """Owner by role and asset."""
        ...

    @property
    def bindings(self) -> Mapping[str, str]:
        """Address by owner."""
        ...


class Payable(NamedTuple):
    """Whom a line is paid to, and why if that is no address."""

    owner: str
    payee: str
    reason: str | None


def payable(role: str, asset: str, ownership: Ownership, rule: PayoutRule) -> Payable:
    """Finds whom an asset's line is paid to."""
    if role in ("platform", "commons"):
        return Payable("", rule.ledger_accounts[role], None)
    owner = ownership.assets.get((role, asset), "")
    if not owner:
        return Payable("", rule.ledger_accounts["unclaimed"], rule.reasons["no_owner"])
    address = ownership.bindings.get(owner)
    if address is None:
        return Payable(owner, rule.ledger_accounts["unclaimed"], rule.reasons["unbound"])
    return Payable(owner, address, None)


def tie_key(epoch: int, role: str, asset: str, payee: str) -> str:
    """What orders lines of equal remainder: SHA-256 of RFC 8785, hex; the smaller is first."""
    return canonical_hash([epoch, role, asset, payee])


def divide_pool(
    epoch: int, pool: int, weights: Mapping[Key, int], ownership: Ownership, rule: PayoutRule
) -> list[Line]:
    """Divides an epoch's pool by largest remainder; the lines sum to it exactly.

    Args:
        epoch: the epoch.
        pool: its funded charges, base units.
        weights: charge · basis points · attribution, summed by role and asset.
        ownership: who is paid for an asset.
        rule: the payout rule of the epoch.

    Returns:
        The lines above zero units, in order of role and asset.

    Raises:
        DistributaryError: `weights_disagree`: the weights do not sum to 10^13 a unit.
    """
    if sum(weights.values()) != pool * PARTS:
        raise DistributaryError(
            "The weights of an epoch do not sum to its pool, so nothing is paid on them.",
            value=epoch,
            code="weights_disagree",
        )
    found = {key: payable(*key, ownership, rule) for key in weights}
    ties = {tie_key(epoch, *key, found[key].payee): key for key in weights}
    units = largest_remainder(pool, {tie: weights[key] for tie, key in ties.items()})
    return sorted(
        Line(epoch, *key, found[key].owner, found[key].payee, units[tie], found[key].reason)
        for tie, key in ties.items()
        if units[tie]
    )


def release(
    epoch: int, unclaimed: Mapping[str, int], bindings: Mapping[str, str], rule: PayoutRule
) -> list[Line]:
    """What owners earned before they were bound, paid in a posting's first epoch."""
    return [
        Line(epoch, "release", owner, owner, bindings[owner], units, rule.reasons["bound"])
        for owner, units in sorted(unclaimed.items())
        if owner and owner in bindings and units
    ]


def unclaimed_after(
    unclaimed: Mapping[str, int], lines: Iterable[Line], rule: PayoutRule
) -> dict[str, int]:
    """The unclaimed balance of each owner once these lines are booked; the next posting's input.

    What an asset without an owner earned stands under the empty label.
    """
    after = dict(unclaimed)
    for line in lines:
        if line.role == "release":
            after[line.owner] = after.get(line.owner, 0) - line.units
        elif line.payee == rule.ledger_accounts["unclaimed"]:
            after[line.owner] = after.get(line.owner, 0) + line.units
    return {owner: units for owner, units in sorted(after.items()) if units}
