"""The weights of an epoch's lines by columns; equal to `weighing.weigh`, which it falls back to."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from distributary.attribution.weights import WHOLE
from distributary.rewards.funding import Placement
from distributary.rewards.posting import Posting
from distributary.rewards.row_checks import rows_of
from distributary.rewards.unit_columns import NARROW_DIGITS, read_units
from distributary.rewards.weighing import (
    COLUMNS,
    Group,
    Tally,
    add_table,
    carried_tables,
    check_lengths,
    data_basis_points,
    split_of,
)
from distributary.rewards.workers import RowGroup, charged_tables, on_all_cores, row_groups
from distributary.rules import Catalogue

_DICTIONARIES: Final = ("documents.list.element",)
_PARTS: Final = pa.decimal128(10)  # what an int32 takes; a weight has at most 10^9 parts


def weigh_columns(posting: Posting, placement: Placement) -> dict[int, Tally]:
    """Sums the weights of all epochs of a posting; raises as `weighing.weigh` does."""
    tallies = {each.epoch: Tally() for each in posting.epochs}
    for table in carried_tables(posting):
        add_table(tallies, posting.manifest.from_epoch, table, placement, posting.splits)
    weigh = partial(_weigh_group, placement=placement, splits=posting.splits)
    for found in on_all_cores(weigh, row_groups(posting.epochs)):
        for epoch, tally in found.items():
            tallies[epoch].add(tally)
    return tallies


def _weigh_group(group: RowGroup, placement: Placement, splits: Catalogue) -> Mapping[int, Tally]:
    """The weights of a row group by epoch."""
    tallies: dict[int, Tally] = defaultdict(Tally)
    elsewhere = pa.array(list(placement.elsewhere), pa.string())
    for table in charged_tables(group, COLUMNS, _DICTIONARIES):
        apart = table
        is_elsewhere = pc.is_in(table["request_hash"], elsewhere)
        own = table.filter(pc.invert(is_elsewhere)) if len(elsewhere) else table
        try:
            tallies[group.epoch].add(_weigh_table(own, splits))
            apart = table.filter(is_elsewhere)
        except pa.ArrowInvalid:
            pass  # a number is too large for the columns
        add_table(tallies, group.epoch, apart.combine_chunks(), placement, splits)
    return tallies


def _weigh_table(table: pa.Table, splits: Catalogue) -> Tally:
    """The weights of rows that are funded in one epoch.

    Raises:
        InputError: `unknown_rule`.
        ArrowInvalid: the columns cannot hold a number, or one is missing.
    """
    units = read_units(table["charge_units"], NARROW_DIGITS)
    if units.null_count:
        raise pa.ArrowInvalid("a charge is no number of so many digits")
    tally = Tally()
    for group, summed, commons in _group_sums(table, units):
        tally.groups[group] = summed
        tally.commons += commons * data_basis_points(group, split_of(splits, group.split_hash))
    for document, earned in _document_sums(table, units, splits):
        tally.documents[document] = tally.documents.get(document, 0) + earned
    return tally


def _group_sums(table: pa.Table, units: pa.ChunkedArray) -> Iterator[tuple[Group, int, int]]:
    """Units, and units times commons, of each group."""
    commons = _parts(pc.fill_null(table["commons"], WHOLE))
    rows = table.select(Group._fields)
    rows = rows.append_column("units", units)
    rows = rows.append_column("commons", pc.multiply(units, commons))
    sums = rows.group_by(list(Group._fields)).aggregate([("units", "sum"), ("commons", "sum")])
    for *stamps, summed, explained in rows_of(sums, *Group._fields, "units_sum", "commons_sum"):
        yield Group(*stamps), int(summed), int(explained)


def _document_sums(
    table: pa.Table, units: pa.ChunkedArray, splits: Catalogue
) -> Iterator[tuple[str, int]]:
    """Units times basis points times weight of each document, once for each kind of share."""
    lists, weights = table["documents"].combine_chunks(), table["weights"].combine_chunks()
    check_lengths(lists, weights)
    documents, rows = pc.list_flatten(lists), pc.list_parent_indices(lists)
    kinds, shares = _share_kinds(table, splits)
    earned = pc.multiply(units.take(rows), _parts(pc.list_flatten(weights)))
    entries = {"document": documents.indices, "kind": kinds.take(rows), "earned": earned}
    sums = pa.table(entries).group_by(["document", "kind"]).aggregate([("earned", "sum")])
    hashes = documents.dictionary.to_pylist()
    for document, kind, summed in rows_of(sums, "document", "kind", "earned_sum"):
        if summed:
            yield hashes[document], int(summed) * shares[kind]


def _share_kinds(table: pa.Table, splits: Catalogue) -> tuple[pa.ChunkedArray, list[int]]:
    """What decides the data share of each row as one number, and the shares by it."""
    rules = splits.rules
    split = pc.index_in(table["split_hash"], value_set=pa.array([rule.hash for rule in rules]))
    absent = [pc.cast(pc.is_null(table[role]), pa.int32()) for role in ("adapter", "agent")]
    kinds = pc.add(pc.multiply(split, 4), pc.add(pc.multiply(absent[0], 2), absent[1]))
    shares = [
        data_basis_points(Group(rule.hash, "", "", adapter, agent), rule.content)
        for rule in rules
        for adapter in ("", None)
        for agent in ("", None)
    ]
    return kinds, shares


def _parts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Weights as decimals.

    Raises:
        ArrowInvalid: one is missing, or no int32.
    """
    if column.null_count:
        raise pa.ArrowInvalid("a weight is missing")
    return pc.cast(pc.cast(column, pa.int32()), _PARTS)
