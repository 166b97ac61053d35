"""A posting's files, each checked against its hash before anything is read from it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from distributary.canonical import sha256_hex
from distributary.errors import DistributaryError, InputError
from distributary.identity import Domain
from distributary.lake.files import file_sha256, manifest_path
from distributary.lake.schema import ANSWERS
from distributary.rewards.inputs import Inputs, bad_input, damaged, read_inputs
from distributary.rewards.manifest import RULE_KINDS, PostedEpoch, RuleFile, SettlementManifest
from distributary.rules import FOLDER, Catalogue, read_rule
from distributary.rules.payout import PayoutRule, read_payout_rule
from distributary.strict_json import parse_json

if TYPE_CHECKING:
    import pyarrow.parquet as pq

QUARANTINE: Final = "quarantine.parquet"
BATCH_ROWS: Final = 65_536
HASHING_THREADS: Final = 4


@dataclass(frozen=True)
class EpochFiles:
    """An epoch of a posting.

    Attributes:
        posted: what the settlement manifest says of it.
        answers_manifest: the answers manifest, parsed.
        answers: its canonical Parquet files, one for each partition.
    """

    posted: PostedEpoch
    answers_manifest: dict[str, Any]
    answers: tuple[Path, ...]

    @property
    def epoch(self) -> int:
        """Its number."""
        return self.posted.epoch


@dataclass(frozen=True)
class Posting:
    """All that a root is a function of, read and checked.

    Attributes:
        manifest: the settlement manifest.
        inputs: the input files.
        epochs: the epochs covered, in order.
        prices: the catalogue of prices that the manifest names.
        splits: likewise.
        payouts: likewise.
    """

    manifest: SettlementManifest
    inputs: Inputs
    epochs: tuple[EpochFiles, ...]
    prices: Catalogue
    splits: Catalogue
    payouts: tuple[PayoutRule, ...]

    @property
    def domain(self) -> Domain:
        """What the requests must be signed for."""
        return Domain(self.manifest.chain_id, self.manifest.contract)


def rule_files(folder: Path = FOLDER) -> tuple[RuleFile, ...]:
    """The rules catalogue as a manifest names it."""
    return tuple(
        RuleFile(kind, path.name, sha256_hex(path.read_bytes()))
        for kind in RULE_KINDS
        for path in sorted((folder / kind).glob("*.json"))
    )


def open_posting(
    lake: Path,
    manifest: SettlementManifest,
    *,
    rules: Path = FOLDER,
    each_file: Callable[[Path], None] = lambda _: None,
) -> Posting:
    """Reads everything that a manifest names, but the answers themselves, and checks all hashes.

    Args:
        lake: the lake folder.
        manifest: the settlement manifest.
        rules: the rules catalogue; it only grows, so an older posting's rules are in it.
        each_file: called with every answers file once its hash is checked.

    Raises:
        DistributaryError: `lake_file_damaged`, `bad_input_file`.
        InputError: `unknown_rule`; a rule that is not valid.
    """
    data: dict[str, list[bytes]] = {kind: [] for kind in RULE_KINDS}
    for rule in manifest.rules:
        data[rule.kind].append(_rule(rules, rule))
    inputs = read_inputs(lake / manifest.folder, manifest.files)
    _check_epochs(manifest, inputs)
    return Posting(
        manifest,
        inputs,
        tuple(_open_epoch(lake, posted, each_file) for posted in manifest.epochs),
        Catalogue([read_rule("prices", each) for each in data["prices"]]),
        Catalogue([read_rule("splits", each) for each in data["splits"]]),
        tuple(read_payout_rule(each) for each in data["payouts"]),
    )


def _check_epochs(manifest: SettlementManifest, inputs: Inputs) -> None:
    if any(e >= manifest.from_epoch for e in inputs.carried["epoch"].to_pylist()):
        raise bad_input("carried.parquet", "a charge is carried in from no earlier epoch")
    if any(not manifest.from_epoch <= c.epoch <= manifest.to_epoch for c in inputs.corrections):
        raise bad_input("corrections.parquet", "a correction is of no epoch of the posting")


def _rule(folder: Path, rule: RuleFile) -> bytes:
    path = folder / rule.kind / rule.name
    data = path.read_bytes() if path.is_file() else b""
    if sha256_hex(data) != rule.sha256:
        raise InputError(
            "This installation lacks a rule that the posting names: install a newer version.",
            value=f"{rule.kind}/{rule.name} {rule.sha256}",
            code="unknown_rule",
        )
    return data


def _open_epoch(lake: Path, posted: PostedEpoch, each_file: Callable[[Path], None]) -> EpochFiles:
    path = manifest_path(lake, posted.epoch)
    data = path.read_bytes() if path.is_file() else b""
    if sha256_hex(data) != posted.manifest:
        raise damaged(path)
    manifest = parse_json(data)
    paths = [path.parent / file["name"] for file in manifest["files"]]
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        hashes = pool.map(_sha256, paths)
        for found, file, sha256 in zip(paths, manifest["files"], hashes, strict=True):
            if sha256 != file["sha256"] or found.name != file["name"]:
                raise damaged(found)
            each_file(found)
    answers = tuple(found for found in paths if found.name != QUARANTINE)
    return EpochFiles(posted, manifest, answers)


def _sha256(path: Path) -> str:
    return file_sha256(path).hex() if path.is_file() else ""


def read_answers(
    path: Path,
    columns: Sequence[str],
    *,
    row_groups: Sequence[int] | None = None,
    dictionaries: Sequence[str] = (),
) -> Iterator[pa.Table]:
    """The rows of an answers file, some columns of them, a row group's worth at a time.

    Args:
        path: the file.
        columns: by name.
        row_groups: by number; all where none are given.
        dictionaries: the Parquet columns to read as dictionaries.

    Raises:
        DistributaryError: `lake_file_damaged`: it has the hash that was recorded, but is none.
    """
    import pyarrow.parquet as pq

    try:
        if not pq.read_schema(path).equals(ANSWERS):
            raise damaged(path)
        with pq.ParquetFile(path, read_dictionary=list(dictionaries)) as file:
            for number in range(file.num_row_groups) if row_groups is None else row_groups:
                yield from _read_row_group(file, number, list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DistributaryError(
            f"An answers file cannot be read: {str(error)[:200]}.",
            value=str(path),
            code="lake_file_damaged",
        ) from error


def _read_row_group(file: "pq.ParquetFile", number: int, columns: list[str]) -> Iterator[pa.Table]:
    """A row group at once where it has the size of ours, in half the time; else in batches."""
    if file.metadata.row_group(number).num_rows <= BATCH_ROWS:
        yield file.read_row_group(number, columns, use_threads=False)
        return
    for batch in file.iter_batches(BATCH_ROWS, [number], columns, use_threads=False):
        yield pa.Table.from_batches([batch])
