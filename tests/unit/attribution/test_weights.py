from math import log2

import pytest

from distributary.attribution.weights import (
    CREDIT_UNIT,
    FRACTION_BITS,
    SHARERS_MAX,
    log2_fixed,
    rarity,
)


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(1, 1), (3, 2), (7, 7), (10**9, 3), (2**40, 1)]
)
def test_log2_fixed__ratio__agrees_with_the_float_to_the_last_bits(
    numerator: int, denominator: int
) -> None:
    exact = log2(numerator / denominator) * 2**FRACTION_BITS
    assert exact - 2 < log2_fixed(numerator, denominator) <= exact + 1e-6


@pytest.mark.parametrize("power", [0, 1, 20])
def test_log2_fixed__power_of_two__is_exact(power: int) -> None:
    assert log2_fixed(2**power, 1) == power << FRACTION_BITS


@pytest.mark.parametrize(("numerator", "denominator"), [(1, 2), (1, 0), (0, 0), (5, -1)])
def test_log2_fixed__ratio_below_one__raises(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        log2_fixed(numerator, denominator)


def test_rarity__more_occurrences__never_tells_more() -> None:
    told = [rarity(occurrences, 100) for occurrences in range(500)]
    assert told == sorted(told, reverse=True)
    assert told[0] > told[1] > 0
    assert told[400] == told[499] == 0


def test_rarity__datanet_of_one_document__still_weighs() -> None:
    assert rarity(1, 1) > 0


def test_rarity__empty_datanet__is_nothing() -> None:
    assert rarity(0, 0) == 0


def test_credit_unit__any_number_of_sharers__divides() -> None:
    assert all(CREDIT_UNIT % sharers == 0 for sharers in range(1, SHARERS_MAX + 1))
