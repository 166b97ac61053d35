"""The charges of a posting as a table: what `charges.parquet` holds."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final, overload

import numpy as np
import pyarrow as pa

from distributary.rewards.funding import Charge, State
from distributary.rewards.inputs import rows_table

CHARGES: Final = pa.schema(
    [
        ("epoch", pa.int64()),
        *((name, pa.string()) for name in ("request_hash", "account", "units", "state", "reason")),
    ]
)


class ColumnCharges(Sequence[Charge]):
    """Charges of a posting as a table; sorted, and made one by one, only when asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._unsorted = table

    @cached_property
    def table(self) -> pa.Table:
        """The charges in order of deciding epoch and request hash."""
        order = np.lexsort((self._hashes, self._unsorted["epoch"].to_numpy()))
        return self._unsorted.take(pa.array(order))

    @property
    def are_unique(self) -> bool:
        """Whether no request hash comes twice."""
        hashes = np.sort(self._hashes)
        return not bool((hashes[1:] == hashes[:-1]).any())

    @property
    def _hashes(self) -> "np.ndarray[Any, Any]":
        column = self._unsorted["request_hash"].combine_chunks()
        fixed = column.cast(pa.binary()).cast(pa.binary(64))
        return np.frombuffer(fixed.buffers()[1], "S64") if len(fixed) else np.array([], "S64")

    def __len__(self) -> int:
        return int(self._unsorted.num_rows)

    @overload
    def __getitem__(self, index: int) -> Charge: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Charge]: ...
    def __getitem__(self, index: int | slice) -> Charge | Sequence[Charge]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return next(_charges(self.table.slice(range(len(self))[index], 1)))

    def __iter__(self) -> Iterator[Charge]:
        return _charges(self.table)


def _charges(table: pa.Table) -> Iterator[Charge]:
    columns = [column.to_pylist() for column in table.columns]
    for epoch, hash_, account, units, state, reason in zip(*columns, strict=True):
        yield Charge(epoch, hash_, account, int(units), State(state), reason)


def charges_table(charges: Sequence[Charge]) -> pa.Table:
    """Charges as a table."""
    if isinstance(charges, ColumnCharges):
        return charges.table
    rows = ((*each[:3], str(each.units), each.state.value, each.reason) for each in charges)
    return rows_table(CHARGES, rows)
