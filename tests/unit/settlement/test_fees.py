"""Fees of first offers and of replacements."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.settlement.fees import FeePolicy, Fees, bump, first_offer, first_tip_wei
from orchestration.settlement.holding import POST_GAS, HoldPolicy, hold
from orchestration.settlement.stops import StopError

GWEI = 10**9
WEI = st.integers(0, 10**15)


def test_first_offer__cheap_gas__is_twice_the_base_fee_and_the_tip():
    assert first_offer(10 * GWEI, GWEI, FeePolicy()) == Fees(21 * GWEI, GWEI)


def test_first_offer__twice_is_above_the_ceiling__is_the_ceiling():
    policy = FeePolicy(ceiling_wei=15 * GWEI)
    assert first_offer(10 * GWEI, GWEI, policy) == Fees(15 * GWEI, GWEI)


def test_first_offer__next_block_is_above_the_ceiling__stops():
    with pytest.raises(StopError) as stop:
        first_offer(10 * GWEI, GWEI, FeePolicy(ceiling_wei=10 * GWEI))
    assert stop.value.code == "fees_above_ceiling"


@pytest.mark.parametrize(
    ("rewards", "tip"), [([], 1), ([5, 1, 3], 3), ([0], 1), ([10**12] * 3, 10 * GWEI)]
)
def test_first_tip__recent_tips__is_their_median_within_limits(rewards, tip):
    assert first_tip_wei(rewards, FeePolicy()) == tip


@given(WEI, WEI, WEI, WEI)
def test_bump__anything__is_a_tenth_more_on_both_and_not_below_the_market(a, b, c, d):
    old, market = Fees(max(a, b), min(a, b)), Fees(max(c, d), min(c, d))
    new = bump(old, market)
    assert new.max_fee_wei * 10 >= old.max_fee_wei * 11
    assert new.tip_wei * 10 >= old.tip_wei * 11
    assert new.max_fee_wei > old.max_fee_wei
    assert new.tip_wei > old.tip_wei
    assert new.max_fee_wei >= market.max_fee_wei
    assert new.tip_wei >= market.tip_wei


def test_fees__tip_above_the_whole__are_refused():
    with pytest.raises(ValueError, match="tip"):
        Fees(1, 2)


POLICY = HoldPolicy(gas_share_bp_max=100, token_value_wei=10**18, age_s_max=60)


@pytest.mark.parametrize(
    ("units", "gas_price_wei", "age_s", "waits"),
    [
        (10**18, 40 * GWEI, 0, False),  # 0.01 coins are one per cent of one
        (10**18, 40 * GWEI + 1, 0, True),
        (0, 1, 0, True),
        (0, 10**12, 60, False),  # too old to wait
    ],
)
def test_hold__cost_and_value__waits_above_the_share(units, gas_price_wei, age_s, waits):
    assert (hold(units, gas_price_wei, age_s, POLICY) is not None) is waits


def test_hold__no_value_is_stated__never_waits():
    assert hold(0, 10**15, 0, HoldPolicy()) is None


def test_post_gas__of_a_later_root__covers_what_the_contract_was_measured_at():
    snapshot = json.loads((Path(__file__).parents[2] / "contracts" / "gas.json").read_text())
    measured = snapshot["postRoot later"] + snapshot["activateRoot later"]
    assert measured < POST_GAS < measured * 5 // 4
