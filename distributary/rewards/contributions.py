"""What each request put into each reward line, in exact rationals.

A line has whole units, and a request's share of it is its weight over the line's. So a request's
`units` sum to its charge, and the `paid` units of a line's requests sum to the line.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

import pyarrow as pa

from distributary.attribution.weights import WHOLE
from distributary.rewards.funding import Placement
from distributary.rewards.lines import PARTS, Key, Line
from distributary.rewards.posting import BATCH_ROWS, Posting, read_answers
from distributary.rewards.weighing import (
    Group,
    Tally,
    charged_rows,
    data_basis_points,
    role_keys,
    split_of,
)

_COLUMNS: Final = (
    *("outcome", "request_hash", "account", "charge_units", "datanet", *Group._fields),
    *("commons", "documents", "weights"),
)


class FundedRow(NamedTuple):
    """A funded charge as it stands in an answers file, and the epoch that paid it."""

    epoch: int
    request_hash: str
    account: str
    units: int
    datanet: str | None
    group: Group
    commons: int | None
    documents: list[str] | None
    weights: list[int] | None


class Contribution(NamedTuple):
    """What one request put into one line.

    Attributes:
        epoch: the epoch that paid it.
        key: role and asset of the line.
        request_hash: the request.
        account: who paid.
        weight: charge · basis points · attribution; 10^13 make a unit.
    """

    epoch: int
    key: Key
    request_hash: str
    account: str
    weight: int

    @property
    def units(self) -> Fraction:
        """Base units before the line was rounded."""
        return Fraction(self.weight, PARTS)


def funded_rows(
    posting: Posting, placement: Placement, wanted: str | None = None
) -> Iterator[FundedRow]:
    """The funded charges of a posting, those carried in first.

    Args:
        posting: files checked.
        placement: in which epoch each charge is funded.
        wanted: a request hash, to read that one alone.
    """
    for stands_in, table in _tables(posting):
        for row in _rows(table, wanted):
            hash_, account, units, datanet, *stamps, commons, documents, weights = row
            epoch = placement.epoch(hash_, stands_in)
            if epoch is not None:
                group = Group(*stamps)
                yield FundedRow(
                    epoch, hash_, account, int(units), datanet, group, commons, documents, weights
                )


def contributions(posting: Posting, row: FundedRow) -> Iterator[Contribution]:
    """What one request put into the lines of its epoch; the weights sum to its charge · 10^13."""
    split = split_of(posting.splits, row.group.split_hash)
    for key, basis_points in role_keys(row.group, split):
        yield _of(row, key, row.units * basis_points * WHOLE)
    share = row.units * data_basis_points(row.group, split)
    commons = WHOLE if row.commons is None else row.commons
    yield _of(row, ("commons", "commons"), share * commons)
    for document, weight in zip(row.documents or (), row.weights or (), strict=True):
        yield _of(row, ("data", document), share * weight)


class PaidLines:
    """The ordinary lines of a posting, each with its whole weight."""

    def __init__(self, posting: Posting, lines: list[Line], tallies: Mapping[int, Tally]) -> None:
        self.lines = {
            (line.epoch, (line.role, line.asset)): line
            for line in lines
            if line.role not in ("release", "refund")
        }
        self._weights = {e: tally.weights(posting.splits) for e, tally in tallies.items()}

    def share(self, given: Contribution) -> Fraction:
        """The share of a request in its line."""
        return Fraction(given.weight, self._weights[given.epoch][given.key])

    def paid(self, given: Contribution) -> Fraction:
        """Base units of the rounded line that came from a request; zero if there is no line."""
        line = self.lines.get((given.epoch, given.key))
        return self.share(given) * line.units if line else Fraction(0)


def _of(row: FundedRow, key: Key, weight: int) -> Contribution:
    return Contribution(row.epoch, key, row.request_hash, row.account, weight)


def _tables(posting: Posting) -> Iterator[tuple[int, pa.Table]]:
    carried = posting.inputs.carried.select(_COLUMNS)
    for start in range(0, carried.num_rows, BATCH_ROWS):
        yield posting.manifest.from_epoch, carried.slice(start, BATCH_ROWS)
    for each in posting.epochs:
        for path in each.answers:
            for table in read_answers(path, _COLUMNS):
                yield each.epoch, charged_rows(table)


def _rows(table: pa.Table, wanted: str | None) -> Iterator[tuple[Any, ...]]:
    import pyarrow.compute as pc

    if wanted is not None:
        table = table.filter(pc.equal(table["request_hash"], wanted))
    yield from zip(*(table[name].to_pylist() for name in _COLUMNS[1:]), strict=True)
