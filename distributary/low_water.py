"""The low-water mark of one partition: where a restart may begin without losing a record."""

from collections.abc import Iterable


class LowWater:
    """Tracks which delivered records are finished.

    The position is the offset after the longest finished prefix of the records *delivered*, so
    gaps in the offsets (compaction, transaction markers) hold nothing up. Not thread-safe.
    """

    def __init__(self, position: int) -> None:
        self._position = position
        # Delivered offsets above the position in order; the value tells whether it is finished.
        self._delivered: dict[int, bool] = {}
        self._last = position - 1

    @property
    def position(self) -> int:
        """The offset to start from after a crash."""
        return self._position

    @property
    def ahead(self) -> int:
        """How many delivered records the position has not passed."""
        return len(self._delivered)

    def deliver(self, offsets: Iterable[int]) -> None:
        """Notes records handed out, in the order of the partition.

        Raises:
            ValueError: an offset is not above the one before it.
        """
        for offset in offsets:
            if offset <= self._last:
                raise ValueError(f"Offset {offset} was delivered after {self._last}.")
            self._delivered[offset] = False
            self._last = offset

    def finish(self, offset: int) -> None:
        """Notes that a delivered record has its answer or dead letter in Kafka.

        Raises:
            KeyError: the record was never delivered, or was passed already.
        """
        if offset not in self._delivered:
            raise KeyError(offset)
        self._delivered[offset] = True
        if offset != next(iter(self._delivered)):
            return
        while self._delivered:
            first = next(iter(self._delivered))
            if not self._delivered[first]:
                break
            del self._delivered[first]
            self._position = first + 1
