"""The input files of a posting: what was read from the chain and the ledger, as Parquet.

Rows are sorted by their key and amounts are decimal text, so the same content gives the same
bytes. What a reader finds in another form it refuses: these files decide money.
"""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa

from distributary.canonical import sha256_hex
from distributary.datanets.durable import write_durably
from distributary.errors import DistributaryError
from distributary.lake.files import PARQUET, ROW_GROUP_ROWS
from distributary.lake.schema import ANSWERS
from distributary.rewards.lines import Key
from distributary.rewards.manifest import INPUT_NAMES, InputFile

EARNED: Final = 0  # kind of a leaf: earned by a payee
CHARGED: Final = 1  # kind of a leaf: funded charges of an account
CORRECTIONS: Final = frozenset(("refund", "reversal", "verdict"))
ASSET_ROLES: Final = frozenset(("adapter", "agent", "data", "model", "node"))
_UNITS: Final = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_INT8_MAX: Final = 2**63 - 1


class AccountFunds(NamedTuple):
    """An account at the pinned block: base units in and out, and where it was frozen."""

    deposited_units: int
    withdrawn_units: int
    freeze_block: int | None = None


class Correction(NamedTuple):
    """A refund, reversal or late verdict; a refund pays the account's own address."""

    epoch: int
    kind: str
    request_hash: str
    account: str
    payee: str
    units: int
    reason: str


def _text(*names: str) -> list[pa.Field]:
    return [pa.field(name, pa.string()) for name in names]


_EPOCH: Final = pa.field("epoch", pa.int64())
CARRIED: Final = pa.schema([_EPOCH, *ANSWERS])
SCHEMAS: Final = {
    "accounts.parquet": pa.schema(
        [
            *_text("account", "deposited_units", "withdrawn_units"),
            pa.field("freeze_block", pa.int64()),
        ]
    ),
    "active_leaves.parquet": pa.schema(
        [pa.field("kind", pa.int8()), *_text("address", "cumulative_units")]
    ),
    "assets.parquet": pa.schema(_text("role", "asset", "owner")),
    "bindings.parquet": pa.schema(_text("owner", "payee")),
    "carried.parquet": CARRIED,
    "corrections.parquet": pa.schema(
        [_EPOCH, *_text("kind", "request_hash", "account", "payee", "units", "reason")]
    ),
    "unclaimed.parquet": pa.schema(_text("owner", "units")),
}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The content of the input files.

    Attributes:
        accounts: every account with a deposit at the pinned block.
        bindings: address by owner, at the pinned block.
        assets: owner by role and asset, for what answers of the posting name; a data asset is
            the document's hash.
        active_leaves: cumulative units by kind and address, of the active posting before.
        carried: the charges carried in, as `CARRIED`, in order of epoch and request hash.
        unclaimed: units by owner that are not released yet.
        corrections: in order.
    """

    accounts: dict[str, AccountFunds] = field(default_factory=dict)
    bindings: dict[str, str] = field(default_factory=dict)
    assets: dict[Key, str] = field(default_factory=dict)
    active_leaves: dict[tuple[int, str], int] = field(default_factory=dict)
    carried: pa.Table = field(default_factory=CARRIED.empty_table)
    unclaimed: dict[str, int] = field(default_factory=dict)
    corrections: Sequence[Correction] = ()


def input_tables(inputs: Inputs) -> dict[str, pa.Table]:
    """The input files as tables, by name, sorted by their keys."""
    accounts = inputs.accounts.items()
    rows: dict[str, Iterable[tuple[Any, ...]]] = {
        "accounts.parquet": (
            (account, str(funds.deposited_units), str(funds.withdrawn_units), funds.freeze_block)
            for account, funds in sorted(accounts)
        ),
        "active_leaves.parquet": (
            (*key, str(units)) for key, units in sorted(inputs.active_leaves.items())
        ),
        "assets.parquet": ((*key, owner) for key, owner in sorted(inputs.assets.items())),
        "bindings.parquet": sorted(inputs.bindings.items()),
        "corrections.parquet": (
            each._replace(units=str(each.units))  # type: ignore[arg-type]
            for each in sorted(inputs.corrections)
        ),
        "unclaimed.parquet": ((o, str(units)) for o, units in sorted(inputs.unclaimed.items())),
    }
    tables = {name: rows_table(SCHEMAS[name], given) for name, given in rows.items()}
    order = [("epoch", "ascending"), ("request_hash", "ascending")]
    return tables | {"carried.parquet": inputs.carried.sort_by(order)}


def rows_table(schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Rows as a table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_inputs(folder: Path, inputs: Inputs) -> tuple[InputFile, ...]:
    """Writes the input files of a posting durably; safe to repeat.

    Returns:
        What the manifest says of them, in order of name.

    Raises:
        DistributaryError: `bad_input_file`: the content is none that a reader would take.
    """
    tables = input_tables(inputs)
    _read_tables(tables)
    return tuple(write_table(folder / name, tables[name]) for name in INPUT_NAMES)


def write_table(path: Path, table: pa.Table) -> InputFile:
    """Writes a file of a posting; the same rows give the same bytes."""
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=ROW_GROUP_ROWS, **PARQUET)
    data = sink.getvalue().to_pybytes()
    write_durably(path, data)
    return InputFile(path.name, table.num_rows, sha256_hex(data))


def read_inputs(folder: Path, files: Sequence[InputFile]) -> Inputs:
    """Reads the input files of a posting and checks each against the manifest.

    Raises:
        DistributaryError: `lake_file_damaged`: one is missing or another than was hashed;
            `bad_input_file`: it has what no file of ours has.
    """
    return _read_tables({file.name: _read(folder / file.name, file) for file in files})


def damaged(path: Path) -> DistributaryError:
    """The error for a file that is missing or not the one that was hashed."""
    return DistributaryError(
        "A file that the manifest names is missing or damaged: restore or fetch it again.",
        value=str(path),
        code="lake_file_damaged",
    )


def _read(path: Path, file: InputFile) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise damaged(path) from error
    if sha256_hex(data) != file.sha256:
        raise damaged(path)
    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()
    except (pa.ArrowException, OSError) as error:
        raise bad_input(file.name, f"it is no Parquet: {str(error)[:100]}") from error
    if table.num_rows != file.rows:
        raise bad_input(file.name, "it has another number of rows")
    return table


def _read_tables(tables: dict[str, pa.Table]) -> Inputs:
    def rows(name: str, key: int, *checks: Callable[[Any], bool]) -> list[tuple[Any, ...]]:
        return _checked(name, tables[name], key, checks)

    return Inputs(
        accounts={
            account: AccountFunds(int(deposited), int(withdrawn), freeze)
            for account, deposited, withdrawn, freeze in rows(
                "accounts.parquet", 1, _is_address, _is_units, _is_units, _is_block
            )
        },
        bindings=dict(rows("bindings.parquet", 1, bool, _is_address)),
        assets={
            (role, asset): owner
            for role, asset, owner in rows(
                "assets.parquet", 2, ASSET_ROLES.__contains__, _is_text, bool
            )
        },
        active_leaves={
            (kind, address): int(units)
            for kind, address, units in rows(
                "active_leaves.parquet", 2, (EARNED, CHARGED).__contains__, _is_address, _is_units
            )
        },
        carried=_carried(tables["carried.parquet"]),
        unclaimed={o: int(u) for o, u in rows("unclaimed.parquet", 1, _is_text, _is_units)},
        corrections=[
            Correction(*row)._replace(units=int(row[5]))
            for row in rows(
                *("corrections.parquet", 3, _is_whole, CORRECTIONS.__contains__, _is_hash),
                *(_is_address, _is_text, _is_units, _is_text),
            )
        ],
    )


def _checked(
    name: str, table: pa.Table, key: int, checks: Sequence[Callable[[Any], bool]]
) -> list[tuple[Any, ...]]:
    """The rows of a table whose columns pass their checks and whose keys ascend."""
    _check_schema(name, table)
    columns = [column.to_pylist() for column in table.columns]
    for field_, column, check in zip(table.schema, columns, checks, strict=True):
        for value in column:
            if not check(value):
                raise bad_input(name, f"`{field_.name}` has {value!r}")
    rows = list(zip(*columns, strict=True))
    _check_ascending(name, [row[:key] for row in rows])
    return rows


def _carried(table: pa.Table) -> pa.Table:
    name = "carried.parquet"
    _check_schema(name, table)
    epochs, hashes = table["epoch"].to_pylist(), table["request_hash"].to_pylist()
    if not all(map(_is_whole, epochs)) or not all(map(_is_hash, hashes)):
        raise bad_input(name, "an epoch or request hash is none")
    _check_ascending(name, list(zip(epochs, hashes, strict=True)))
    return table


def _check_schema(name: str, table: pa.Table) -> None:
    if not table.schema.equals(SCHEMAS[name]):
        raise bad_input(name, "it has other columns")


def _check_ascending(name: str, keys: Sequence[tuple[Any, ...]]) -> None:
    if any(a >= b for a, b in pairwise(keys)):
        raise bad_input(name, "its rows are not in order, or one comes twice")


def bad_input(name: str, what: str) -> DistributaryError:
    """The error for a hashed file with content that none of ours has."""
    return DistributaryError(
        f"An input file of the posting cannot be used: {what}.", value=name, code="bad_input_file"
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_units(value: Any) -> bool:
    return isinstance(value, str) and _UNITS.fullmatch(value) is not None and int(value) < 2**256


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _INT8_MAX


def _is_block(value: Any) -> bool:
    return value is None or _is_whole(value)
