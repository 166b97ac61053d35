"""The settlement manifest: all that a posting's root is a function of, named and hashed.

It stands in the posting's folder of the lake as RFC 8785; the posting carries its SHA-256.
"""

import re
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from distributary.canonical import canonical_json, sha256_hex
from distributary.datanets.durable import write_durably
from distributary.errors import DistributaryError, InputError
from distributary.strict_json import parse_json

VERSION: Final = 1
ENGINE: Final = "distributary-rewards-1"
NAME: Final = "settlement-manifest.json"
ZERO_ROOT: Final = "0x" + "0" * 64
INPUT_NAMES: Final = (
    "accounts.parquet",
    "active_leaves.parquet",
    "assets.parquet",
    "bindings.parquet",
    "carried.parquet",
    "corrections.parquet",
    "unclaimed.parquet",
)
RULE_KINDS: Final = ("payouts", "prices", "splits")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_ROOT: Final = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")
_RULE_NAME: Final = re.compile(r"\w+\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class PostedEpoch:
    """An epoch of the posting: its cut block, and its answers manifest's hash (hex)."""

    epoch: int
    cut_block: int
    manifest: str


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of the rules catalogue: kind, file name, SHA-256 (hex)."""

    kind: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input file in the posting's folder: name, rows, SHA-256 (hex)."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SettlementManifest:
    """The manifest of one posting attempt.

    Attributes:
        version: of this format.
        engine: of the rules by which lines and leaves are made.
        chain_id: the chain that the posting goes to.
        contract: its contract, an address in lower case.
        from_epoch: first epoch covered.
        to_epoch: last epoch covered.
        attempt: counts from 1 for the same epochs.
        parent_root: the active root that this one follows, zero if there is none.
        previous_cut_block: cut block of epoch `from_epoch - 1` where that one was posted, else
            None. Without it nobody could tell whether a freeze took effect before this posting.
        pinned_block: the finalized block at which the chain was read.
        grace_blocks: the contract's grace period of a freeze.
        epochs: every epoch covered, in order.
        rules: the rules catalogue, by kind and name.
        files: the input files, by name.
    """

    version: int = VERSION
    engine: str = ENGINE
    chain_id: int
    contract: str
    from_epoch: int
    to_epoch: int
    attempt: int
    parent_root: str
    previous_cut_block: int | None
    pinned_block: int
    grace_blocks: int
    epochs: tuple[PostedEpoch, ...]
    rules: tuple[RuleFile, ...]
    files: tuple[InputFile, ...]

    def __post_init__(self) -> None:
        """Refuses what no posting of ours has.

        Raises:
            InputError: `bad_settlement_manifest`.
        """
        for sentence, passes in _requirements(self):
            if not passes:
                raise InputError(
                    f"Not a settlement manifest: {sentence}.", code="bad_settlement_manifest"
                )

    @property
    def folder(self) -> str:
        """The posting's folder, relative to the lake."""
        return posting_folder(self.from_epoch, self.to_epoch, self.attempt)

    @property
    def payload(self) -> bytes:
        """RFC 8785 bytes."""
        return canonical_json(_plain(asdict(self)))

    @property
    def hash(self) -> str:
        """What the posting carries as `settlementHash`: SHA-256 of the bytes, hex without 0x."""
        return sha256_hex(self.payload)

    def rule_hashes(self, kind: str) -> list[str]:
        """The stamps of one kind."""
        return [rule.sha256 for rule in self.rules if rule.kind == kind]


def posting_folder(from_epoch: int, to_epoch: int, attempt: int) -> str:
    """Where the files of a posting stand, relative to the lake."""
    return f"settlements/{from_epoch:08d}-{to_epoch:08d}-{attempt}"


def write_manifest(lake: Path, manifest: SettlementManifest) -> Path:
    """Writes the manifest durably beside its files; safe to repeat."""
    path = lake / manifest.folder / NAME
    write_durably(path, manifest.payload)
    return path


def load_manifest(path: Path) -> SettlementManifest:
    """Reads a manifest from a file.

    Raises:
        DistributaryError: `lake_file_damaged`: there is none.
        InputError: `bad_settlement_manifest`.
    """
    try:
        return read_manifest(path.read_bytes())
    except FileNotFoundError as error:
        raise DistributaryError(
            "There is no settlement manifest here.", value=str(path), code="lake_file_damaged"
        ) from error


def read_manifest(data: bytes) -> SettlementManifest:
    """Reads a manifest from its bytes.

    Raises:
        InputError: `bad_settlement_manifest`: a field is wrong, or the bytes are not canonical.
    """
    try:
        parsed = parse_json(data)
        if set(parsed) != {field.name for field in fields(SettlementManifest)}:
            raise ValueError("other fields")
        lists = {
            "epochs": tuple(PostedEpoch(**each) for each in parsed["epochs"]),
            "rules": tuple(RuleFile(**each) for each in parsed["rules"]),
            "files": tuple(InputFile(**each) for each in parsed["files"]),
        }
        manifest = SettlementManifest(**(parsed | lists))
        canonical = manifest.payload == data
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"Not a settlement manifest: {error}.", code="bad_settlement_manifest"
        ) from error
    if not canonical:
        raise InputError("The manifest is not RFC 8785.", code="bad_settlement_manifest")
    return manifest


def _plain(value: Any) -> Any:
    """Tuples as lists, which is all that JSON has."""
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, tuple) else value


def _requirements(manifest: SettlementManifest) -> list[tuple[str, bool]]:
    if not _are_typed(manifest):
        return [("a field has another type or is negative", False)]
    cuts = [each.cut_block for each in manifest.epochs]
    if manifest.previous_cut_block is not None:
        cuts.insert(0, manifest.previous_cut_block)
    covered = list(range(manifest.from_epoch, manifest.to_epoch + 1))
    rules = [(rule.kind, rule.name) for rule in manifest.rules]
    return [
        (f"its version is not {VERSION}", manifest.version == VERSION),
        (f"its engine is not {ENGINE}", manifest.engine == ENGINE),
        ("it covers no epoch", bool(covered)),
        ("its epochs are not from..to", [e.epoch for e in manifest.epochs] == covered),
        ("attempts count from 1", manifest.attempt >= 1),
        ("cut blocks fall", all(a <= b for a, b in pairwise(cuts))),
        ("a cut block is after the pinned block", cuts[-1] <= manifest.pinned_block),
        ("its files are not the seven", tuple(f.name for f in manifest.files) == INPUT_NAMES),
        ("its rules are not in order", rules == sorted(set(rules))),
        ("it lacks a kind of rule", {rule.kind for rule in manifest.rules} == set(RULE_KINDS)),
    ]


def _are_typed(manifest: SettlementManifest) -> bool:
    previous = manifest.previous_cut_block
    whole = [
        *(manifest.version, manifest.chain_id, manifest.from_epoch, manifest.to_epoch),
        *(manifest.attempt, manifest.pinned_block, manifest.grace_blocks),
        0 if previous is None else previous,
        *(number for epoch in manifest.epochs for number in (epoch.epoch, epoch.cut_block)),
        *(file.rows for file in manifest.files),
    ]
    hashes = [epoch.manifest for epoch in manifest.epochs]
    hashes += [rule.sha256 for rule in manifest.rules]
    hashes += [file.sha256 for file in manifest.files]
    return (
        all(type(number) is int and 0 <= number < 2**53 for number in whole)
        and all(isinstance(text, str) and _HEX.fullmatch(text) for text in hashes)
        and all(_RULE_NAME.fullmatch(rule.name) for rule in manifest.rules)
        and _ROOT.fullmatch(manifest.parent_root) is not None
        and _ADDRESS.fullmatch(manifest.contract) is not None
    )
