"""Whether a suffix array is one: checked once, when an index is built."""

from pathlib import Path

from distributary.attribution.files import pointer_bytes
from distributary.errors import DistributaryError


def check_sorted(data: Path, table: Path) -> None:
    """Checks in linear time that `table` holds every suffix of `data` once and in order.

    Two neighbours are in order if their first bytes are, or if those are equal and the suffixes
    after them are in order, which their places in the table tell (Burkhardt and Kärkkäinen 2003).

    Raises:
        DistributaryError: `index_failed`.
    """
    import numpy as np

    text = np.fromfile(data, dtype=np.uint8)
    size = len(text)
    width = pointer_bytes(size) if size else 1
    raw = np.fromfile(table, dtype=np.uint8)
    if len(raw) != size * width:
        raise _wrong(f"{len(raw)} bytes for {size} suffixes")
    places = np.zeros((size, 8), dtype=np.uint8)
    places[:, :width] = raw.reshape(size, width)
    order = places.reshape(-1).view("<u8").astype(np.int64)
    rank = np.full(size + 1, -1, dtype=np.int64)  # the empty suffix comes first
    if size and int(order.max()) >= size:
        raise _wrong("a pointer is outside the text")
    rank[order] = np.arange(size)
    if (rank[:size] < 0).any():
        raise _wrong("a suffix is missing")
    left, right = order[:-1], order[1:]
    less = text[left] < text[right]
    tied = (text[left] == text[right]) & (rank[left + 1] < rank[right + 1])
    if not (less | tied).all():
        raise _wrong("two suffixes are out of order")


def _wrong(reason: str) -> DistributaryError:
    return DistributaryError(
        f"The indexer made a wrong suffix array: {reason}. Build it again.", code="index_failed"
    )
