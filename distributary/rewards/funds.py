"""Where the money of a request went, and which requests make up what a payee earned."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from distributary.errors import InputError
from distributary.rewards.contributions import Contribution, contributions, funded_rows
from distributary.rewards.finding_postings import posting_folders
from distributary.rewards.funding import State
from distributary.rewards.inputs import EARNED
from distributary.rewards.lines import Line
from distributary.rewards.opened import ComputedPosting
from distributary.rewards.outputs import CHARGES_NAME


def find_charge(lake: Path, request_hash: str) -> tuple[Path, dict[str, Any]]:
    """The posting that decided a charge last, and what it decided.

    Raises:
        InputError: `not_settled`: no posting of this lake has the charge.
    """
    import pyarrow.parquet as pq

    for posting in sorted(posting_folders(lake), reverse=True):
        path = posting.manifest.with_name(CHARGES_NAME)
        if not path.is_file():
            continue
        rows = pq.read_table(path, filters=pc.field("request_hash") == request_hash).to_pylist()
        if rows:
            return posting.manifest, rows[0]
    raise InputError(
        "No posting has a charge of this request hash: it was not charged, or is not settled yet.",
        value=request_hash,
        code="not_settled",
    )


def funds_of_request(opened: ComputedPosting, request_hash: str) -> dict[str, Any]:
    """Where the money of a request went, line by line.

    Args:
        opened: the posting that decided the charge.
        request_hash: hex.

    Returns:
        The charge, and for each line its payee, the exact units, and the share of the line.

    Raises:
        InputError: `not_settled`.
    """
    charge = next((c for c in opened.computed.charges if c.request_hash == request_hash), None)
    if charge is None:
        raise InputError("The posting has no such charge.", value=request_hash, code="not_settled")
    found: dict[str, Any] = {
        "request_hash": request_hash,
        "account": charge.account,
        "charge_units": str(charge.units),
        "state": charge.state.value,
        "reason": charge.reason,
        "epoch": charge.epoch,
        "posting": opened.posting.manifest.folder,
        "root": opened.computed.root,
        "lines": [],
    }
    if charge.state is State.FUNDED:
        paid = opened.paid_lines
        for row in funded_rows(opened.posting, opened.funding.placement, request_hash):
            found["lines"] = [
                _line(paid.lines.get((each.epoch, each.key)), each, paid.share(each))
                for each in contributions(opened.posting, row)
                if each.weight
            ]
    return found


def _line(line: Line | None, given: Contribution, share: Fraction) -> dict[str, Any]:
    return {
        "role": given.key[0],
        "asset": given.key[1],
        "owner": line.owner if line else "",
        "payee": line.payee if line else None,
        "units": exact(given.units),
        "line_units": str(line.units) if line else "0",
        "share_of_line": f"{share.numerator}/{share.denominator}",
        "reason": line.reason if line else None,
    }


def funds_of_payee(opened: ComputedPosting, payee: str, most: int = 20) -> dict[str, Any]:
    """Which requests make up what a payee earned in a posting.

    Args:
        opened: the posting.
        payee: an address, or a ledger account.
        most: how many requests are named, those that gave most first.

    Returns:
        The payee's lines, what other requests gave in sum, and the requests.
    """
    lines = [line for line in opened.computed.lines if line.payee == payee]
    given: dict[tuple[str, str], Fraction] = {}
    for each, paid in _paid_to(opened, lines):
        key = (each.request_hash, each.account)
        given[key] = given.get(key, Fraction(0)) + paid
    first = heapq.nsmallest(most, given.items(), key=lambda item: (-item[1], item[0]))
    named = sum((units for _, units in first), Fraction(0))
    total = sum(line.units for line in lines)
    apart = sum(line.units for line in lines if line.role in ("release", "refund"))
    return {
        "payee": payee,
        "posting": opened.posting.manifest.folder,
        "root": opened.computed.root,
        "units": str(total),
        "released_or_refunded_units": str(apart),
        "requests": len(given),
        "lines": [line._asdict() | {"units": str(line.units)} for line in lines],
        "from": [
            {"request_hash": hash_, "account": account, "units": exact(units)}
            for (hash_, account), units in first
        ],
        "others_units": exact(total - apart - named),
    }


def _paid_to(
    opened: ComputedPosting, lines: Sequence[Line]
) -> Iterator[tuple[Contribution, Fraction]]:
    wanted = {(line.epoch, (line.role, line.asset)) for line in lines}
    paid = opened.paid_lines
    for row in funded_rows(opened.posting, opened.funding.placement):
        for each in contributions(opened.posting, row):
            if each.weight and (each.epoch, each.key) in wanted:
                yield each, paid.paid(each)


def claims_that_paid(
    leaves: Mapping[str, int], claims: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """By payee, the first claim that covers what the posting gave it.

    Args:
        leaves: cumulative units by payee in the posting.
        claims: in order, with `payee`, `cumulative_units` and the transaction.
    """
    first: dict[str, dict[str, Any]] = {}
    for claim in claims:
        payee = claim["payee"]
        if payee in leaves and claim["cumulative_units"] >= leaves[payee]:
            first.setdefault(payee, dict(claim))
    return [first[payee] for payee in sorted(first)]


def earned_leaves(opened: ComputedPosting, payees: Iterable[str]) -> dict[str, int]:
    """What these payees have earned cumulatively, this posting included; zero leaves out."""
    wanted = set(payees)
    return {
        leaf.address: leaf.cumulative_units
        for leaf in opened.computed.leaves
        if leaf.kind == EARNED and leaf.address in wanted
    }


def exact(units: Fraction) -> str:
    """A rational as text: whole, or `numerator/denominator`; nothing is rounded."""
    return str(units)
