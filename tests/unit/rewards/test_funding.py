"""Funding: order, whole charges, what is carried, written off and frozen."""

import pytest

from distributary.rewards.funding import Candidate, Charge, Funder, State, freeze_epoch, fund
from distributary.rules.payout import load_payouts

RULE = load_payouts()[0]
ACCOUNT = "0x" + "a" * 40


def waiting(own_epoch: int, name: str, units: int, account: str = ACCOUNT) -> Candidate:
    return Candidate(own_epoch, name * 64, account, units)


def decide(
    *candidates: Candidate, credit: int, epoch: int = 5, frozen: dict[str, int] | None = None
) -> dict[str, State]:
    charges = fund(epoch, candidates, {ACCOUNT: credit}, frozen or {}, RULE)
    return {charge.request_hash[0]: charge.state for charge in charges}


def test_fund__older_epoch_and_smaller_hash__is_first() -> None:
    given = (waiting(5, "a", 60), waiting(5, "b", 40), waiting(4, "c", 50))
    for order in (given, given[::-1]):
        assert decide(*order, credit=90) == {
            "a": State.CARRIED,
            "b": State.FUNDED,
            "c": State.FUNDED,
        }


def test_fund__a_charge_that_does_not_fit__is_carried_whole_and_the_next_is_tried() -> None:
    assert decide(waiting(5, "a", 101), waiting(5, "b", 100), credit=100) == {
        "a": State.CARRIED,
        "b": State.FUNDED,
    }


def test_fund__an_account_without_deposit__is_carried() -> None:
    charges = fund(5, [waiting(5, "a", 1)], {}, {}, RULE)
    assert charges == [Charge(5, "a" * 64, ACCOUNT, 1, State.CARRIED, "insufficient_credit")]


@pytest.mark.parametrize(("own", "state"), [(6, State.FUNDED), (5, State.WRITTEN_OFF)])
def test_fund__sixty_four_epochs_old__is_written_off(own: int, state: State) -> None:
    assert decide(waiting(own, "a", 1), credit=100, epoch=69) == {"a": state}


@pytest.mark.parametrize(("epoch", "state"), [(5, State.FUNDED), (6, State.FROZEN)])
def test_fund__a_frozen_account__pays_until_its_last_epoch(epoch: int, state: State) -> None:
    frozen = {ACCOUNT: 5}
    assert decide(waiting(4, "a", 1), credit=100, epoch=epoch, frozen=frozen) == {"a": state}


@pytest.mark.parametrize(
    ("freeze_block", "last"), [(79, 7), (80, 7), (90, 7), (91, 8), (100, 8), (101, 9), (500, 9)]
)
def test_freeze_epoch__grace_of_ten__is_the_first_epoch_cut_after_it(
    freeze_block: int, last: int
) -> None:
    assert freeze_epoch([(7, 100), (8, 110), (9, 120)], freeze_block, 10) == last


def test_funder__credit_for_a_carried_charge_in_the_next_epoch__is_funded_there() -> None:
    funder = Funder({ACCOUNT: 50}, {}, [waiting(1, "c", 60)])
    assert funder.decide(2, [waiting(2, "a", 10)], RULE, is_last=False) == [
        Charge(2, "a" * 64, ACCOUNT, 10, State.FUNDED, None)
    ]
    funder.available[ACCOUNT] += 100
    charges = funder.decide(3, [], RULE, is_last=True)
    assert [(c.epoch, c.state) for c in charges] == [(3, State.FUNDED)]
    assert funder.funding(charges).placement.epoch("c" * 64, 2) == 3
    assert funder.charged == {ACCOUNT: 70}
