"""Whole units are divided exactly, ties to the smaller key."""

import pytest

from distributary.apportion import largest_remainder


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (0, {}, {}),
        (0, {"a": 0}, {"a": 0}),
        (7, {"a": 1}, {"a": 7}),
        (1, {"b": 1, "a": 1}, {"a": 1, "b": 0}),
        (10, {"a": 1, "b": 1, "c": 1}, {"a": 4, "b": 3, "c": 3}),
        (100, {"a": 47, "b": 16, "c": 158, "d": 12, "e": 61, "f": 31}, None),
        (10**30 + 1, {"a": 1, "b": 2}, {"a": (10**30 + 2) // 3, "b": 2 * (10**30 - 1) // 3 + 1}),
    ],
)
def test_largest_remainder__any_total__is_divided_exactly(
    total: int, weights: dict[str, int], parts: dict[str, int] | None
) -> None:
    found = largest_remainder(total, weights)
    assert sum(found.values()) == total
    assert parts is None or found == parts


@pytest.mark.parametrize(
    ("total", "weights"), [(-1, {"a": 1}), (1, {"a": -1, "b": 2}), (1, {}), (1, {"a": 0})]
)
def test_largest_remainder__cannot_be_divided__raises(total: int, weights: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"negative|zero"):
        largest_remainder(total, weights)
