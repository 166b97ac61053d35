"""The weights of an epoch's lines: charge · basis points · attribution, summed by role and asset.

Plain Python integers over streamed row groups; this is what settlement compares with.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from distributary.attribution.weights import WHOLE
from distributary.errors import DistributaryError, InputError
from distributary.rewards.funding import Placement
from distributary.rewards.lines import Key
from distributary.rewards.posting import BATCH_ROWS, Posting, read_answers
from distributary.rules import Catalogue, data_share_bp

COLUMNS: Final = (
    *("outcome", "request_hash", "charge_units", "split_hash", "node", "model", "adapter"),
    *("agent", "commons", "documents", "weights"),
)
ABSENT_ROLES: Final = ("adapter", "agent")


class Group(NamedTuple):
    """What decides how a charge divides over roles: the split's stamp, and who took part."""

    split_hash: str
    node: str
    model: str
    adapter: str | None
    agent: str | None


class Tally:
    """Sums of one epoch.

    Attributes:
        groups: funded units by group.
        documents: units · basis points · weight by document's hash.
        commons: the same of what nothing explains.
    """

    def __init__(self) -> None:
        self.groups: dict[Group, int] = {}
        self.documents: dict[str, int] = {}
        self.commons = 0

    @property
    def pool(self) -> int:
        """Funded units."""
        return sum(self.groups.values())

    def add(self, other: "Tally") -> None:
        """Adds the sums of other rows."""
        for group, units in other.groups.items():
            self.groups[group] = self.groups.get(group, 0) + units
        for document, earned in other.documents.items():
            self.documents[document] = self.documents.get(document, 0) + earned
        self.commons += other.commons

    def weights(self, splits: Catalogue) -> dict[Key, int]:
        """The integer weights of the lines, without those of zero."""
        weights: dict[Key, int] = {("data", hash_): sum_ for hash_, sum_ in self.documents.items()}
        weights["commons", "commons"] = self.commons
        for group, units in self.groups.items():
            for key, basis_points in role_keys(group, split_of(splits, group.split_hash)):
                weights[key] = weights.get(key, 0) + units * basis_points * WHOLE
        return {key: weight for key, weight in weights.items() if weight}


def split_of(splits: Catalogue, stamp: str) -> Mapping[str, int]:
    """Basis points by role of the split that a stamp names.

    Raises:
        InputError: `unknown_rule`.
    """
    rule = splits.by_hash(stamp)
    if rule is None:
        raise InputError(
            "An answer names a split that is not in the catalogue of the posting.",
            value=stamp,
            code="unknown_rule",
        )
    return rule.content


def data_basis_points(group: Group, split: Mapping[str, int]) -> int:
    """The data share, with those of an absent adapter and agent."""
    return data_share_bp(split, group.adapter, group.agent)


def role_keys(group: Group, split: Mapping[str, int]) -> Iterator[tuple[Key, int]]:
    """Role, asset and basis points of every share but that of data."""
    yield ("platform", "platform"), split["platform"]
    for role in ("node", "model", *ABSENT_ROLES):
        asset = getattr(group, role)
        if asset is not None:
            yield (role, asset), split[role]


def weigh(posting: Posting, placement: Placement) -> dict[int, Tally]:
    """Sums the weights of all epochs of a posting.

    Raises:
        DistributaryError: `lake_file_damaged`.
        InputError: `unknown_rule`.
    """
    tallies = {each.epoch: Tally() for each in posting.epochs}
    for stands_in, table in funded_tables(posting):
        add_table(tallies, stands_in, table, placement, posting.splits)
    return tallies


def funded_tables(posting: Posting) -> Iterator[tuple[int, pa.Table]]:
    """Charged rows, with the epoch they stand in: an answers file's own, or the carried row's."""
    for table in carried_tables(posting):
        yield posting.manifest.from_epoch, table
    for each in posting.epochs:
        for path in each.answers:
            for table in read_answers(path, COLUMNS):
                yield each.epoch, charged_rows(table)


def carried_tables(posting: Posting) -> Iterator[pa.Table]:
    """The rows carried in, a batch at a time."""
    rows = posting.inputs.carried.select(COLUMNS)
    for start in range(0, rows.num_rows, BATCH_ROWS):
        yield rows.slice(start, BATCH_ROWS).combine_chunks()


def charged_rows(table: pa.Table) -> pa.Table:
    """The rows that are charged."""
    is_charged = pc.fill_null(pc.equal(table["outcome"], "charged"), False)
    kept = table if pc.all(is_charged, min_count=0).as_py() else table.filter(is_charged)
    return kept.combine_chunks()


def add_table(
    tallies: Mapping[int, Tally],
    stands_in: int,
    table: pa.Table,
    placement: Placement,
    splits: Catalogue,
) -> None:
    """Adds the weights of rows that stand in one epoch to those of the epochs that fund them."""
    documents = _Documents(table)
    shares: dict[Group, int] = {}
    for row, (hash_, units, commons, group) in enumerate(_rows(table)):
        epoch = placement.epoch(hash_, stands_in)
        if epoch is None:
            continue
        tally = tallies[epoch]
        tally.groups[group] = tally.groups.get(group, 0) + units
        share = shares.get(group)
        if share is None:
            share = shares[group] = data_basis_points(group, split_of(splits, group.split_hash))
        tally.commons += units * share * (WHOLE if commons is None else commons)
        documents.add(epoch, row, units * share)
    documents.book(tallies)


def _rows(table: pa.Table) -> Iterable[tuple[str, int, int | None, Group]]:
    stamps = [table[name].to_pylist() for name in Group._fields]
    groups: dict[tuple[Any, ...], Group] = {}
    return zip(
        table["request_hash"].to_pylist(),
        map(int, table["charge_units"].to_pylist()),
        table["commons"].to_pylist(),
        (groups.setdefault(key, Group(*key)) for key in zip(*stamps, strict=True)),
        strict=True,
    )


class _Documents:
    """The document weights of one table; hashes are looked up once a table, not once a row."""

    def __init__(self, table: pa.Table) -> None:
        lists, named = table["weights"].combine_chunks(), table["documents"].combine_chunks()
        check_lengths(named, lists)
        flat = pc.dictionary_encode(pc.list_flatten(named))
        self._hashes: list[str] = flat.dictionary.to_pylist()
        self._indices: list[int] = flat.indices.to_pylist()
        self._weights: list[int] = pc.list_flatten(lists).to_pylist()
        self._ends: list[int] = pc.cumulative_sum(
            pc.fill_null(pc.list_value_length(lists), 0)
        ).to_pylist()
        self._sums: dict[int, list[int]] = {}

    def add(self, epoch: int, row: int, units: int) -> None:
        """Adds what one row gives to its documents."""
        start, end = self._ends[row - 1] if row else 0, self._ends[row]
        if start == end:
            return
        sums = self._sums.get(epoch)
        if sums is None:
            sums = self._sums[epoch] = [0] * len(self._hashes)
        weights = self._weights
        indices = self._indices
        for at in range(start, end):
            sums[indices[at]] += units * weights[at]

    def book(self, tallies: Mapping[int, Tally]) -> None:
        """Adds the sums of the table to those of the epochs."""
        for epoch, sums in self._sums.items():
            documents = tallies[epoch].documents
            for hash_, sum_ in zip(self._hashes, sums, strict=True):
                if sum_:
                    documents[hash_] = documents.get(hash_, 0) + sum_


def check_lengths(documents: pa.Array, weights: pa.Array) -> None:
    """Holds that each row has a weight for each document.

    Raises:
        DistributaryError: `weights_disagree`.
    """
    lengths = (pc.fill_null(pc.list_value_length(each), 0) for each in (documents, weights))
    if not pc.all(pc.equal(*lengths), min_count=0).as_py():
        raise DistributaryError(
            "An answer has not one weight for each document, so nothing is paid on it.",
            code="weights_disagree",
        )
