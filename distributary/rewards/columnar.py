"""The same as the reference by columns: Arrow's exact decimals, and Python where those end.

For `verify` and reports, since nobody should wait for them; settlement compares with the reference.
A property test holds the two equal to the unit.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from distributary.lake.schema import ANSWERS
from distributary.rewards.charges import CHARGES, ColumnCharges, charges_table
from distributary.rewards.funding import Candidate, Funding, State
from distributary.rewards.posting import EpochFiles, Posting
from distributary.rewards.reference import Computed, conclude, fund_posting, make_funder
from distributary.rewards.row_checks import rows_of
from distributary.rewards.unit_columns import read_units
from distributary.rewards.weighing_columns import weigh_columns
from distributary.rewards.workers import RowGroup, charged_tables, on_all_cores, row_groups
from distributary.rules.payout import payout_in_force

_KEPT: Final = ("request_hash", "account", "charge_units")
_NARROW: Final = ("outcome", *_KEPT)


def compute_columns(posting: Posting) -> Computed:
    """Computes a posting; equal to the reference, and raises as it does."""
    funding = fund_columns(posting)
    return conclude(posting, funding, weigh_columns(posting, funding.placement))


def fund_columns(posting: Posting) -> Funding:
    """Funds the charges of all epochs, as `reference.fund_posting` does.

    An account whose charges of an epoch all fit, with nothing carried and no freeze, needs no
    order: they are funded. Only the others are decided one by one.
    """
    funder = make_funder(posting)
    decided: list[pa.Table] = []
    for each in posting.epochs:
        table = _charged_table(each)
        sums = _sum_by_account(table)
        if sums is None:
            return fund_posting(posting)
        apart = {candidate.account for candidate in funder.waiting}
        apart |= {
            account
            for account, units in sums.items()
            if account not in apart and not funder.pay_whole(account, units)
        }
        waits, pays = _split(table, apart)
        charges = funder.decide(
            each.epoch,
            _candidates(each.epoch, waits),
            payout_in_force(posting.payouts, each.epoch),
            is_last=each is posting.epochs[-1],
        )
        decided += [charges_table(charges), _funded(each.epoch, pays)]
    column = ColumnCharges(pa.concat_tables(decided))
    if not column.are_unique:
        return fund_posting(posting)  # which names the hash that is charged twice
    return funder.funding(column)


def _charged_table(files: EpochFiles) -> pa.Table:
    """Request hash, account and charge of the charged rows of an epoch."""

    def read(group: RowGroup) -> list[pa.Table]:
        return [table.select(_KEPT) for table in charged_tables(group, _NARROW)]

    schema = pa.schema([ANSWERS.field(name) for name in _KEPT])
    tables = [each for read_ in on_all_cores(read, row_groups([files])) for each in read_]
    return pa.concat_tables([schema.empty_table(), *tables])


def _sum_by_account(table: pa.Table) -> dict[str, int] | None:
    """Charged units by account; None where one has more digits than the columns hold."""
    units = read_units(table["charge_units"])
    if units.null_count:
        return None
    rows = pa.table({"account": table["account"], "units": units})
    sums = rows.group_by("account").aggregate([("units", "sum")])
    return {account: int(units) for account, units in rows_of(sums, "account", "units_sum")}


def _split(table: pa.Table, accounts: set[str]) -> tuple[pa.Table, pa.Table]:
    """The rows of some accounts, and all others."""
    if not accounts:
        return table.slice(0, 0), table
    is_theirs = pc.is_in(table["account"], pa.array(sorted(accounts), pa.string()))
    return table.filter(is_theirs), table.filter(pc.invert(is_theirs))


def _candidates(epoch: int, table: pa.Table) -> list[Candidate]:
    columns = [table[name].to_pylist() for name in _KEPT]
    return [
        Candidate(epoch, hash_, account, int(units))
        for hash_, account, units in zip(*columns, strict=True)
    ]


def _funded(epoch: int, table: pa.Table) -> pa.Table:
    rows = table.num_rows
    columns = [
        pa.repeat(pa.scalar(epoch, pa.int64()), rows),
        *(table[name] for name in _KEPT),
        pa.repeat(pa.scalar(State.FUNDED.value), rows),
        pa.nulls(rows, pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=CHARGES)
