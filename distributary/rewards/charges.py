"""The charges of a posting as a table: what `charges.parquet` holds."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, overload

import numpy as np
import pyarrow as pa

from distributary.rewards.funding import Charge, State
from distributary.rewards.inputs import rows_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHARGES: Final = pa.schema(
    [
        ("epoch", pa.int64()),
        *((name, pa.string()) for name in ("request_hash", "account", "units", "state", "reason")),
    ]
)
_CHUNK: Final = 65_536


class ColumnCharges(Sequence[Charge]):
    """Charges of a posting as a table; made one by one only when asked for.

    Attributes:
        table: the charges in order of deciding epoch and request hash.
        are_unique: whether no request hash comes twice.
    """

    def __init__(self, unsorted: pa.Table) -> None:
        hashes = _fixed(unsorted["request_hash"])
        by_hash = order_of_texts(hashes)
        self.are_unique = not any(
            (hashes[at[1:]] == hashes[at[:-1]]).any()
            for start in range(0, len(by_hash), _CHUNK)
            for at in [by_hash[start : start + _CHUNK + 1]]
        )
        epochs = unsorted["epoch"].to_numpy()[by_hash]
        self.table = unsorted.take(pa.array(by_hash[np.argsort(epochs, kind="stable")]))

    def __len__(self) -> int:
        return int(self.table.num_rows)

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


def _fixed(column: pa.ChunkedArray) -> "NDArray[np.bytes_]":
    """Hashes in hex as texts of one length.

    Raises:
        ArrowInvalid: one has another length.
    """
    fixed = column.cast(pa.binary()).cast(pa.binary(64)).combine_chunks()
    return np.frombuffer(fixed.buffers()[1], "S64") if len(fixed) else np.array([], "S64")


def order_of_texts(texts: "NDArray[np.bytes_]") -> "NDArray[np.int64]":
    """The stable order of texts of one length, eight bytes or more.

    Their first eight bytes, as numbers, order nearly all of them, in a tenth of the time.
    """
    first = texts.view(">u8").reshape(-1, texts.itemsize // 8)[:, 0].astype(np.uint64)
    order = np.argsort(first, kind="stable")
    is_tied = np.zeros(len(texts) + 1, np.bool_)
    is_tied[1:-1] = first[order[1:]] == first[order[:-1]]
    tied = np.flatnonzero(is_tied[1:] | is_tied[:-1])
    order[tied] = order[tied][np.argsort(texts[order[tied]], kind="stable")]
    return order


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
