"""The gate's tables: one for each suite, from evidence; pure, exact, amounts as text."""

import re
from collections.abc import Iterator
from statistics import median_low
from typing import Any, Final

from distributary.rewards.funding import State
from distributary.rewards.inputs import CHARGED, EARNED
from orchestration.gate.evidence import Evidence

Frame = list[dict[str, Any]]
Check = tuple[str, int, int]

# Fewer epochs than this have no usual size yet.
TRAILING_EPOCHS_MIN: Final = 3
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")
COLUMNS: Final = {
    "conservation": ("check", "left", "right", "difference"),
    "leaves": ("kind", "address", "units", "is_smaller_than_active"),
    "lines": ("epoch", "role", "asset", "payee", "is_payable", "is_positive"),
    "charges": ("request_hash", "state", "was_funded_before"),
    "epochs": ("epoch", "charged_units", "most_units", "is_held"),
    "files": ("name", "is_equal"),
    "dbt": ("name", "status"),
    "advice": ("check", "left", "right", "difference"),
}


def make_frames(given: Evidence, total_factor: int) -> dict[str, Frame]:
    """The rows of every suite.

    Args:
        given: the evidence.
        total_factor: an epoch above so many times the trailing median is held.
    """
    return {
        "conservation": _compared(conservation(given)),
        "leaves": _leaves(given),
        "lines": _lines(given),
        "charges": [
            {
                "request_hash": charge.request_hash,
                "state": charge.state.value,
                "was_funded_before": charge.request_hash in given.funded_before,
            }
            for charge in given.charges
        ],
        "epochs": _epochs(given, total_factor),
        "files": [
            {"name": file.name, "is_equal": file.wanted == file.found} for file in given.files
        ],
        "dbt": [{"name": name, "status": status} for name, status in sorted(given.tests.items())],
        "advice": _compared(_advice(given)),
    }


def conservation(given: Evidence) -> Iterator[Check]:
    """I1 and I3: name, one side, the other side."""
    for each in given.records:
        yield f"records of epoch {each.epoch}: files and books", each.in_files, each.booked
        yield f"records of epoch {each.epoch}: manifest", each.in_manifest, each.booked
        yield f"records of epoch {each.epoch}: outside its ranges", each.outside_ranges, 0
        yield f"ranges of epoch {each.epoch}: gaps before them", each.gaps, 0
    for each in given.records:
        yield (f"money of epoch {each.epoch}", *_money(given, each.epoch))
    yield from _totals(given)
    yield "accounts below zero", _overdrawn(given), 0


def _money(given: Evidence, epoch: int) -> tuple[int, int]:
    """Funded charges and releases, and lines; refunds are paid by the insurance account."""
    funded = sum(
        charge.units
        for charge in given.charges
        if charge.epoch == epoch and charge.state is State.FUNDED
    )
    bound = given.inputs.bindings
    released = sum(u for owner, u in given.inputs.unclaimed.items() if owner in bound)
    lined = sum(line.units for line in given.lines if line.epoch == epoch and line.role != "refund")
    return funded + (released if epoch == given.posted.from_epoch else 0), lined


def _totals(given: Evidence) -> Iterator[Check]:
    active, posted = given.inputs.active_leaves, given.posted
    paid = sum(line.units for line in given.lines if _ADDRESS.fullmatch(line.payee))
    funded = sum(c.units for c in given.charges if c.state is State.FUNDED)
    for kind, name, added, total in (
        (EARNED, "earned", paid, posted.earned_total_units),
        (CHARGED, "charged", funded, posted.charged_total_units),
    ):
        before = sum(units for (k, _), units in active.items() if k == kind)
        leaves = sum(leaf.cumulative_units for leaf in given.leaves if leaf.kind == kind)
        yield f"{name}: active leaves and what is added, leaves", before + added, leaves
        yield f"{name}: leaves, total that is posted", leaves, total
    funds = given.inputs.accounts.values()
    credit = sum(f.deposited_units - f.withdrawn_units for f in funds)
    yield "earned above charged", max(posted.earned_total_units - posted.charged_total_units, 0), 0
    yield "charged above credit", max(posted.charged_total_units - credit, 0), 0


def _overdrawn(given: Evidence) -> int:
    charged = {leaf.address: leaf.cumulative_units for leaf in given.leaves if leaf.kind == CHARGED}
    accounts = given.inputs.accounts
    return sum(
        units > (accounts[a].deposited_units - accounts[a].withdrawn_units if a in accounts else 0)
        for a, units in charged.items()
    )


def _leaves(given: Evidence) -> Frame:
    active = dict(given.inputs.active_leaves)
    rows: Frame = [
        {
            "kind": leaf.kind,
            "address": leaf.address,
            "units": str(leaf.cumulative_units),
            "is_smaller_than_active": leaf.cumulative_units
            < active.pop((leaf.kind, leaf.address), 0),
        }
        for leaf in given.leaves
    ]
    # What is left of the active leaves is missing from the posting.
    return rows + [
        {"kind": kind, "address": address, "units": "0", "is_smaller_than_active": True}
        for kind, address in sorted(active)
    ]


def _lines(given: Evidence) -> Frame:
    return [
        {
            "epoch": line.epoch,
            "role": line.role,
            "asset": line.asset,
            "payee": line.payee,
            "is_payable": _ADDRESS.fullmatch(line.payee) is not None
            or line.payee in given.ledger_accounts,
            "is_positive": line.units > 0,
        }
        for line in given.lines
    ]


def _epochs(given: Evidence, factor: int) -> Frame:
    trailing = [units for units in given.trailing_units if units]
    most = median_low(trailing) * factor if len(trailing) >= TRAILING_EPOCHS_MIN else None
    return [
        {
            "epoch": each.epoch,
            "charged_units": str(each.charged_units),
            "most_units": None if most is None else str(most),
            "is_held": most is not None
            and each.charged_units > most
            and each.epoch not in given.released,
        }
        for each in given.records
    ]


def _advice(given: Evidence) -> Iterator[Check]:
    states = [charge.state for charge in given.charges]
    yield "charges carried", states.count(State.CARRIED), 0
    yield "charges written off", states.count(State.WRITTEN_OFF), 0
    yield "lines without an owner or a payee", sum(l_.reason is not None for l_ in given.lines), 0


def _compared(checks: Iterator[Check]) -> Frame:
    return [
        {"check": check, "left": str(left), "right": str(right), "difference": str(left - right)}
        for check, left, right in checks
    ]
