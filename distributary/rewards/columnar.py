"""The same sums as the reference by columns: DuckDB's hugeints, and Python where they overflow.

For `verify` alone, since an outsider should not wait; settlement compares with the reference. A
property test holds the two equal to the unit.
"""

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from distributary.lake.schema import ANSWERS
from distributary.rewards.charges import CHARGES, ColumnCharges, charges_table
from distributary.rewards.funding import Candidate, Funding, Placement, State
from distributary.rewards.posting import EpochFiles, Posting, read_answers
from distributary.rewards.reference import Computed, conclude, fund_posting, make_funder
from distributary.rewards.weighing import (
    Group,
    Tally,
    add_table,
    carried_tables,
    charged_rows,
    data_basis_points,
    split_of,
    weigh,
)
from distributary.rules.payout import payout_in_force

if TYPE_CHECKING:
    import duckdb

_MEMORY: Final = "400MB"
_SHARES: Final = pa.schema(
    [
        ("split_hash", pa.string()),
        ("no_adapter", pa.bool_()),
        ("no_agent", pa.bool_()),
        ("share", pa.int32()),
    ]
)
_STAMPS: Final = ", ".join(Group._fields)
_NARROW: Final = ("outcome", "request_hash", "account", "charge_units")
_ROWS: Final = """
    select {columns}, charge_units::hugeint as charge, commons::hugeint as commons,
        case when elsewhere.request_hash is null then ? else elsewhere.epoch end as epoch
    from read_parquet(?)
    left join elsewhere using (request_hash)
    where outcome = 'charged'
"""
_GROUPS: Final = f"""
    select epoch, {_STAMPS}, sum(charge),
        sum(charge * coalesce(commons, 1000000000)) from ({_ROWS.format(columns=_STAMPS)})
    where epoch is not null group by all
"""  # noqa: S608 - nothing but our own column names is put in
_DOCUMENTS: Final = f"""
    select epoch, document, sum(earned * weight)
    from (
        select epoch, charge * share as earned,
            unnest(documents) as document, unnest(weights) as weight
        from ({_ROWS.format(columns="split_hash, adapter, agent, documents, weights")}) as answers
        join shares on shares.split_hash = answers.split_hash
            and shares.no_adapter = (adapter is null) and shares.no_agent = (agent is null)
        where epoch is not null
    )
    group by epoch, document
"""  # noqa: S608


def compute_columns(posting: Posting) -> Computed:
    """Computes a posting; equal to the reference, and raises as it does."""
    funding = fund_columns(posting)
    return conclude(posting, funding, weigh_columns(posting, funding.placement))


def weigh_columns(posting: Posting, placement: Placement) -> dict[int, Tally]:
    """Sums the weights of all epochs; as `weighing.weigh`, which it falls back to.

    Hugeints hold to 1.7e38 and raise beyond, which no sum of an epoch reaches below a pool of
    1.7e25 units.
    """
    import duckdb

    try:
        with _database() as database:
            return _sums(database, posting, placement)
    except (duckdb.OutOfRangeException, duckdb.ConversionException):
        return weigh(posting, placement)


def _sums(
    database: "duckdb.DuckDBPyConnection", posting: Posting, placement: Placement
) -> dict[int, Tally]:
    tallies = {each.epoch: Tally() for each in posting.epochs}
    for table in carried_tables(posting):
        add_table(tallies, posting.manifest.from_epoch, table, placement, posting.splits)
    elsewhere = pa.table(
        {
            "request_hash": pa.array(list(placement.elsewhere), pa.string()),
            "epoch": pa.array(list(placement.elsewhere.values()), pa.int64()),
        }
    )
    database.register("elsewhere", elsewhere)
    for each in posting.epochs:
        if each.answers:
            _sum_epoch(database, each, tallies, posting)
    return tallies


def _sum_epoch(
    database: "duckdb.DuckDBPyConnection",
    files: EpochFiles,
    tallies: dict[int, Tally],
    posting: Posting,
) -> None:
    given = [files.epoch, [str(path) for path in files.answers]]
    shares: dict[tuple[str, bool, bool], int] = {}
    for epoch, *stamps, units, commons in database.execute(_GROUPS, given).fetchall():
        group, tally = Group(*stamps), tallies[epoch]
        share = data_basis_points(group, split_of(posting.splits, group.split_hash))
        shares[group.split_hash, group.adapter is None, group.agent is None] = share
        tally.groups[group] = tally.groups.get(group, 0) + int(units)
        tally.commons += int(commons) * share
    names = ("split_hash", "no_adapter", "no_agent", "share")
    rows = [dict(zip(names, (*key, share), strict=True)) for key, share in shares.items()]
    database.register("shares", pa.Table.from_pylist(rows, schema=_SHARES))
    found = database.execute(_DOCUMENTS, given)
    while fetched := found.fetchmany(10_000):
        for epoch, document, earned in fetched:
            documents = tallies[epoch].documents
            if earned:
                documents[document] = documents.get(document, 0) + int(earned)


def _database() -> "duckdb.DuckDBPyConnection":
    """A database in memory that prints nothing: its progress bar would go to stdout."""
    import duckdb

    database = duckdb.connect(config={"memory_limit": _MEMORY})
    database.execute("set enable_progress_bar = false")
    return database


def fund_columns(posting: Posting) -> Funding:
    """Funds the charges of all epochs, as `reference.fund_posting` does.

    An account whose charges of an epoch all fit, with nothing carried and no freeze, needs no
    order: they are funded. Only the others are decided one by one.
    """
    import duckdb

    funder = make_funder(posting)
    decided: list[pa.Table] = []
    for each in posting.epochs:
        table = _charged_table(each)
        try:
            sums = _sum_by_account(table)
        except (duckdb.OutOfRangeException, duckdb.ConversionException):
            return fund_posting(posting)
        apart = {candidate.account for candidate in funder.waiting}
        apart |= {
            account
            for account, units in sums.items()
            if account not in apart and not funder.pay_whole(account, units)
        }
        is_apart = pc.is_in(table["account"], pa.array(sorted(apart), pa.string()))
        charges = funder.decide(
            each.epoch,
            _candidates(each.epoch, table.filter(is_apart)),
            payout_in_force(posting.payouts, each.epoch),
            is_last=each is posting.epochs[-1],
        )
        decided += [charges_table(charges), _funded(each.epoch, table.filter(pc.invert(is_apart)))]
    column = ColumnCharges(pa.concat_tables(decided))
    if not column.are_unique:
        return fund_posting(posting)  # which names the hash that is charged twice
    return funder.funding(column)


def _charged_table(files: EpochFiles) -> pa.Table:
    """Request hash, account and charge of the charged rows of an epoch."""
    schema = pa.schema([ANSWERS.field(name) for name in _NARROW])
    tables = [
        charged_rows(table) for path in files.answers for table in read_answers(path, _NARROW)
    ]
    return pa.concat_tables([schema.empty_table(), *tables])


def _sum_by_account(table: pa.Table) -> dict[str, int]:
    with _database() as database:
        database.register("charges", table)
        rows = database.execute(
            "select account, sum(charge_units::hugeint) from charges group by account"
        ).fetchall()
    return {account: int(units) for account, units in rows}


def _candidates(epoch: int, table: pa.Table) -> list[Candidate]:
    columns = [table[name].to_pylist() for name in _NARROW[1:]]
    return [
        Candidate(epoch, hash_, account, int(units))
        for hash_, account, units in zip(*columns, strict=True)
    ]


def _funded(epoch: int, table: pa.Table) -> pa.Table:
    rows = table.num_rows
    columns = [
        pa.repeat(pa.scalar(epoch, pa.int64()), rows),
        *(table[name] for name in _NARROW[1:]),
        pa.repeat(pa.scalar(State.FUNDED.value), rows),
        pa.nulls(rows, pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=CHARGES)
