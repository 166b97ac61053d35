"""The low-water mark passes a record only once it and all before it are finished."""

import pytest

from distributary.low_water import LowWater


def test_position__finished_out_of_order__is_after_the_longest_finished_prefix() -> None:
    water = LowWater(10)
    water.deliver([10, 11, 12])
    water.finish(12)
    water.finish(11)
    assert (water.position, water.ahead) == (10, 3)
    water.finish(10)
    assert (water.position, water.ahead) == (13, 0)


def test_position__gaps_in_the_offsets__hold_nothing_up() -> None:
    water = LowWater(0)
    water.deliver([3, 7, 100])
    assert water.position == 0
    water.finish(3)
    assert water.position == 4
    water.finish(7)
    water.finish(100)
    assert water.position == 101


@pytest.mark.parametrize("offsets", [[5], [4], [6, 6], [8, 7]])
def test_deliver__not_rising__raises(offsets: list[int]) -> None:
    water = LowWater(0)
    water.deliver([5])
    with pytest.raises(ValueError, match="delivered after"):
        water.deliver(offsets)


@pytest.mark.parametrize("offset", [0, 1, 9])
def test_finish__passed_or_never_delivered__raises(offset: int) -> None:
    water = LowWater(0)
    water.deliver([0, 2])
    water.finish(0)
    with pytest.raises(KeyError):
        water.finish(offset)
