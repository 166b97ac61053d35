"""The statement of an epoch: who paid and who earned, in whole units that sum to the pool."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import pyarrow as pa

from distributary.attribution.weights import WHOLE
from distributary.rewards.contributions import funded_rows
from distributary.rewards.inputs import rows_table
from distributary.rewards.lines import PARTS, Line
from distributary.rewards.opened import ComputedPosting
from distributary.rewards.weighing import data_basis_points, split_of

SECTIONS: Final = {
    "role": "Earned by role",
    "contributor": "Earned by contributor",
    "datanet": "Earned by documents of each datanet",
    "model": "Earned by model",
    "node": "Earned by node",
    "payee": "Earned by payee",
    "charges": "Charges",
}
WITHOUT_OWNER: Final = "(no owner)"
WITHOUT_DATANET: Final = "(no datanet)"


class Entry(NamedTuple):
    """A row of the statement; `entries` counts lines, charges or answers."""

    section: str
    name: str
    units: Fraction
    entries: int


@dataclass(frozen=True)
class Statement:
    """An epoch's statement.

    Attributes:
        epoch: the epoch.
        posting: the posting's folder, relative to the lake.
        root: its root.
        pool_units: funded charges of the epoch.
        entries: by section, the largest first.
    """

    epoch: int
    posting: str
    root: str
    pool_units: int
    entries: list[Entry]

    def section(self, name: str) -> list[Entry]:
        """The entries of one section."""
        return [entry for entry in self.entries if entry.section == name]

    def table(self) -> pa.Table:
        """The statement as rows: epoch, section, name, units, entries."""
        schema = pa.schema(
            [
                ("epoch", pa.int64()),
                ("section", pa.string()),
                ("name", pa.string()),
                ("units", pa.string()),
                ("entries", pa.int64()),
            ]
        )
        return rows_table(
            schema,
            ((self.epoch, e.section, e.name, decimal(e.units), e.entries) for e in self.entries),
        )


def make_statement(opened: ComputedPosting, epoch: int) -> Statement:
    """Makes the statement of one epoch of a posting."""
    lines = [line for line in opened.computed.lines if line.epoch == epoch]
    entries = [
        *_of_lines("role", lines, lambda line: line.role),
        *_of_lines(
            "contributor",
            [line for line in lines if line.role == "data"],
            lambda line: line.owner or WITHOUT_OWNER,
        ),
        *_of_datanets(opened, epoch),
        *_of_lines("model", [x for x in lines if x.role == "model"], lambda line: line.asset),
        *_of_lines("node", [x for x in lines if x.role == "node"], lambda line: line.asset),
        *_of_lines("payee", lines, lambda line: line.payee),
        *_of_charges(opened, epoch),
    ]
    return Statement(
        epoch,
        opened.posting.manifest.folder,
        opened.computed.root,
        opened.computed.pools[epoch],
        entries,
    )


def _of_lines(section: str, lines: Iterable[Line], name: Callable[[Line], str]) -> list[Entry]:
    return _sorted(section, ((name(line), Fraction(line.units), 1) for line in lines))


def _of_charges(opened: ComputedPosting, epoch: int) -> list[Entry]:
    charges = (c for c in opened.computed.charges if c.epoch == epoch)
    named = ((f"{c.state}: {c.reason}" if c.reason else str(c.state), c.units) for c in charges)
    return _sorted("charges", ((name, Fraction(units), 1) for name, units in named))


def _of_datanets(opened: ComputedPosting, epoch: int) -> list[Entry]:
    """What documents earned, by the datanet that was asked; before lines were rounded."""

    def earned() -> Iterator[tuple[str, Fraction, int]]:
        for row in funded_rows(opened.posting, opened.funding.placement):
            if row.epoch == epoch:
                split = split_of(opened.posting.splits, row.group.split_hash)
                share = row.units * data_basis_points(row.group, split)
                weight = WHOLE - (WHOLE if row.commons is None else row.commons)
                yield row.datanet or WITHOUT_DATANET, Fraction(share * weight, PARTS), 1

    return _sorted("datanet", earned())


def _sorted(section: str, found: Iterable[tuple[str, Fraction, int]]) -> list[Entry]:
    sums: dict[str, tuple[Fraction, int]] = {}
    for name, units, count in found:
        before = sums.get(name, (Fraction(0), 0))
        sums[name] = (before[0] + units, before[1] + count)
    order = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    return [Entry(section, name, units, count) for name, (units, count) in order]


def decimal(units: Fraction) -> str:
    """Base units in parts of 10^13 as decimal digits, exact."""
    whole, rest = divmod(units.numerator * PARTS // units.denominator, PARTS)
    digits = str(PARTS)[1:]
    return f"{whole}.{rest:0{len(digits)}d}".rstrip("0").rstrip(".") if rest else str(whole)
