"""Sums and orders by columns, where numbers and texts are as unlike as files may hold them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from distributary.errors import DistributaryError
from distributary.rewards.charges import order_of_texts
from distributary.rewards.columnar import compute_columns
from distributary.rewards.inputs import AccountFunds, Inputs
from distributary.rewards.posting import open_posting
from distributary.rewards.reference import compute
from distributary.rewards.unit_columns import NARROW_DIGITS, read_units, sum_units
from tests.postings import address, charged, hash_of, write_epoch, write_posting


def column(*values: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string())])


@pytest.mark.parametrize("digits", [NARROW_DIGITS, 38])
def test_read_units__of_odd_texts__is_null_unless_it_is_plain_digits(digits: int) -> None:
    odd = ("", "+1", "-1", " 1", "1_0", "1e3", "1.0", "٣", "many", None, "1" + "0" * digits)
    assert read_units(column(*odd), digits).null_count == len(odd)
    plain = ("0", "007", "9" * digits)
    assert [int(each) for each in read_units(column(*plain), digits).to_pylist()] == [
        *(0, 7, 10**digits - 1)
    ]


@pytest.mark.parametrize("units", [[], ["0"], ["9" * 38] * 70_000, ["9" * 80, "1"]])
def test_sum_units__of_any_size__is_exact(units: list[str]) -> None:
    assert sum_units(column(*units)) == sum(map(int, units))


def test_sum_units__of_no_integer__is_refused() -> None:
    with pytest.raises(ValueError, match="many"):
        sum_units(column("1", "many"))


def test_order_of_texts__with_equal_beginnings_and_twins__is_that_of_a_stable_sort() -> None:
    dice = np.random.default_rng(1)
    texts = [b"%08d%08d" % tuple(dice.integers(0, 4, 2)) for _ in range(500)]
    array = np.array(texts, "S16")
    assert list(order_of_texts(array)) == sorted(range(500), key=texts.__getitem__)
    assert list(order_of_texts(array[:0])) == []


def write(lake: Path, **changes: Any) -> Any:
    rows = [charged("a", address(1), 5, weights={hash_of("d"): 7}) | changes]
    inputs = Inputs(accounts={address(1): AccountFunds(10**40, 0)})
    return write_posting(lake, [write_epoch(lake, 1, [rows])], inputs)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": [3, 4]},
        {"weights": None},
        {"documents": []},
        {"documents": None},
    ],
)
def test_compute__documents_and_weights_of_other_number__disagree(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    manifest = write(tmp_path, **changes)
    for attempt in (compute, lambda lake, given: compute_columns(open_posting(lake, given))):
        with pytest.raises(DistributaryError) as raised:
            attempt(tmp_path, manifest)
        assert raised.value.code == "weights_disagree"


@pytest.mark.parametrize("units", [10**19 - 1, 10**19, 10**38])
def test_compute_columns__charges_about_what_they_hold__are_the_reference(
    tmp_path: Path, units: int
) -> None:
    manifest = write(tmp_path, charge_units=str(units))
    plain = compute(tmp_path, manifest)
    by_columns = compute_columns(open_posting(tmp_path, manifest))
    assert (by_columns.root, by_columns.lines) == (plain.root, plain.lines)
