"""Exact division of whole units by integer weights."""

from collections.abc import Mapping


def largest_remainder(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divides `total` units in proportion to `weights`; the parts sum to `total` exactly.

    Hamilton's method: every part is rounded down, and the units left go one each to the largest
    remainders, ties to the smaller key. The result does not depend on the order of `weights`.

    Raises:
        ValueError: `total` or a weight is negative, or all weights are zero while `total` is not.
    """
    weight_sum = sum(weights.values())
    if total < 0 or any(weight < 0 for weight in weights.values()):
        raise ValueError("Neither the total nor a weight may be negative.")
    if weight_sum == 0:
        if total:
            raise ValueError("Cannot divide units over weights that are all zero.")
        return dict.fromkeys(weights, 0)
    parts = {key: total * weight // weight_sum for key, weight in weights.items()}
    remainders = {key: total * weight % weight_sum for key, weight in weights.items()}
    left = total - sum(parts.values())
    for key in sorted(weights, key=lambda key: (-remainders[key], key))[:left]:
        parts[key] += 1
    return parts
