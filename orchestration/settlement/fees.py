"""Fees of EIP-1559 transactions: what a new one offers, and what a replacement must offer."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.settlement.stops import StopError


@dataclass(frozen=True, slots=True)
class Fees:
    """The most paid for a unit of gas, and the part of it that goes to the block's builder."""

    max_fee_wei: int
    tip_wei: int

    def __post_init__(self) -> None:
        if not 0 <= self.tip_wei <= self.max_fee_wei:
            raise ValueError("A tip is at most the whole fee.")


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """Limits of what is paid for gas.

    Attributes:
        ceiling_wei: most per unit of gas for something new; never holds up a nonce in use.
        tip_wei_min: least tip; geth's pool takes none below 1 wei.
        tip_wei_max: most tip of a first offer, so that one odd block does not set it.
        bumps_max: replacements of one nonce: 24 of 12.5 % are 17 times the first offer.
        bump_after_blocks: blocks without inclusion before a replacement.
    """

    ceiling_wei: int = 300 * 10**9
    tip_wei_min: int = 1
    tip_wei_max: int = 10 * 10**9
    bumps_max: int = 24
    bump_after_blocks: int = 3


def first_tip_wei(rewards_wei: Sequence[int], policy: FeePolicy) -> int:
    """The median of recent tips, within the policy's limits."""
    ordered = sorted(rewards_wei)
    median = ordered[len(ordered) // 2] if ordered else policy.tip_wei_min
    return min(max(median, policy.tip_wei_min), policy.tip_wei_max)


def market_fees(base_fee_wei: int, tip_wei: int) -> Fees:
    """Twice the base fee and the tip: stands six full blocks in a row, each 12.5 % dearer."""
    return Fees(2 * base_fee_wei + tip_wei, tip_wei)


def first_offer(base_fee_wei: int, tip_wei: int, policy: FeePolicy) -> Fees:
    """The fees of a new transaction, at most the ceiling.

    Raises:
        StopError: `fees_above_ceiling`: the next block already costs more.
    """
    if base_fee_wei + tip_wei > policy.ceiling_wei:
        raise StopError(
            "fees_above_ceiling",
            f"A unit of gas costs {base_fee_wei + tip_wei} wei, the ceiling is "
            f"{policy.ceiling_wei}: run again later, or raise the ceiling.",
        )
    offer = market_fees(base_fee_wei, tip_wei)
    return Fees(min(offer.max_fee_wei, policy.ceiling_wei), tip_wei)


def bump(old: Fees, market: Fees) -> Fees:
    """A replacement: 12.5 % more on both fees, or the market where that is more.

    Pools want 10 % more on both (geth's `--txpool.pricebump`); the rest is for rounding.
    """
    tip = max(_dearer(old.tip_wei), market.tip_wei)
    return Fees(max(_dearer(old.max_fee_wei), market.max_fee_wei, tip), tip)


def _dearer(wei: int) -> int:
    return max(-(-wei * 9 // 8), wei + 1)
