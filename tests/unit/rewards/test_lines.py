"""Reward lines: exact division, ties, and whom a line is paid to."""

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from distributary.errors import DistributaryError
from distributary.rewards.lines import (
    PARTS,
    Line,
    divide_pool,
    release,
    tie_key,
    unclaimed_after,
)
from distributary.rules.payout import load_payouts

RULE = load_payouts()[0]
ALICE, BOB = "0x" + "a" * 40, "0x" + "b" * 40


def ownership(**bindings: str) -> Any:
    assets = {("data", "d1"): "first", ("data", "d2"): "second", ("node", "n"): "first"}
    return SimpleNamespace(assets=assets, bindings=bindings)


def test_divide_pool__any_weights__sums_to_the_pool_and_says_why_a_line_has_no_address() -> None:
    weights = {("data", "d1"): PARTS * 5, ("data", "d2"): PARTS * 3, ("data", "d3"): PARTS * 2}
    assert divide_pool(7, 10, weights, ownership(first=ALICE), RULE) == [
        Line(7, "data", "d1", "first", ALICE, 5, None),
        Line(7, "data", "d2", "second", "unclaimed", 3, "unbound"),
        Line(7, "data", "d3", "", "unclaimed", 2, "no_owner"),
    ]


def test_divide_pool__platform_and_commons__go_to_ledger_accounts() -> None:
    weights = {("commons", "commons"): PARTS, ("platform", "platform"): PARTS}
    payees = [line.payee for line in divide_pool(7, 2, weights, ownership(), RULE)]
    assert payees == ["commons", "platform"]


@pytest.mark.parametrize("epoch", range(1, 20))
def test_divide_pool__equal_remainders__go_to_the_smaller_hash(epoch: int) -> None:
    weights = {("data", name): PARTS // 2 for name in ("d1", "d2")}
    (line,) = divide_pool(epoch, 1, weights, ownership(first=ALICE, second=BOB), RULE)
    first = min((("d1", ALICE), ("d2", BOB)), key=lambda each: tie_key(epoch, "data", *each))
    assert (line.asset, line.payee, line.units) == (*first, 1)


def test_tie_key__is_sha256_of_rfc_8785() -> None:
    assert tie_key(1, "data", "d", "p") == hashlib.sha256(b'[1,"data","d","p"]').hexdigest()


def test_divide_pool__weights_that_do_not_sum__is_refused() -> None:
    with pytest.raises(DistributaryError) as raised:
        divide_pool(7, 10, {("data", "d1"): 10 * PARTS - 1}, ownership(), RULE)
    assert raised.value.code == "weights_disagree"


def test_release__an_owner_bound_since__is_paid_once_and_others_wait() -> None:
    unclaimed = {"": 9, "first": 5, "second": 4, "third": 0}
    lines = release(3, unclaimed, {"first": ALICE, "third": BOB, "": BOB}, RULE)
    assert lines == [Line(3, "release", "first", "first", ALICE, 5, "bound")]
    earned = Line(3, "data", "d2", "second", "unclaimed", 6, "unbound")
    assert unclaimed_after(unclaimed, [*lines, earned], RULE) == {"": 9, "second": 10}
