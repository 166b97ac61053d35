"""Leaves: what each payee has earned and each account was charged, since the contract began."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from distributary.rewards.inputs import CHARGED, EARNED, Inputs
from distributary.rewards.lines import Line

_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")


class Leaf(NamedTuple):
    """A leaf: kind (0 earned, 1 charged), address in lower case, cumulative base units."""

    kind: int
    address: str
    cumulative_units: int


def is_address(payee: str) -> bool:
    """Whether a line's payee is an address, not a ledger account."""
    return _ADDRESS.fullmatch(payee) is not None


def earned_by_payee(lines: Iterable[Line]) -> dict[str, int]:
    """Units of lines by address; ledger accounts have no leaf."""
    earned: dict[str, int] = {}
    for line in lines:
        if is_address(line.payee):
            earned[line.payee] = earned.get(line.payee, 0) + line.units
    return earned


def make_leaves(
    inputs: Inputs, earned: Mapping[str, int], charged: Mapping[str, int]
) -> list[Leaf]:
    """The leaves of a posting, in order of kind and address.

    An active leaf is only added to. Every account with a deposit has one, zero included, so that
    it can withdraw.

    Args:
        inputs: active leaves and accounts.
        earned: units of the posting's lines by address.
        charged: funded units of the posting by account.
    """
    cumulative = dict(inputs.active_leaves)
    for address, units in earned.items():
        cumulative[EARNED, address] = cumulative.get((EARNED, address), 0) + units
    for account in inputs.accounts:
        cumulative.setdefault((CHARGED, account), 0)
    for account, units in charged.items():
        if (CHARGED, account) in cumulative:  # else the charges are of zero units
            cumulative[CHARGED, account] += units
    return [Leaf(*key, units) for key, units in sorted(cumulative.items())]


def total(leaves: Iterable[Leaf], kind: int) -> int:
    """Cumulative units of all leaves of one kind."""
    return sum(leaf.cumulative_units for leaf in leaves if leaf.kind == kind)
