"""The reference: lines, leaves and root of a posting from Parquet and manifest alone.

No SQL, no float, no clock, and nothing depends on the order in which answers arrived. Settlement
signs nothing whose root this does not give.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern

from distributary.errors import DistributaryError
from distributary.merkle import Tree, build_tree
from distributary.rewards.funding import Candidate, Charge, Funder, Funding, freeze_epoch
from distributary.rewards.inputs import CHARGED, EARNED, Inputs
from distributary.rewards.leaves import (
    Leaf,
    earned_by_payee,
    make_leaves,
    total,
)
from distributary.rewards.lines import Line, divide_pool, release, unclaimed_after
from distributary.rewards.manifest import ZERO_ROOT, SettlementManifest
from distributary.rewards.posting import EpochFiles, Posting, open_posting, read_answers
from distributary.rewards.weighing import Tally, charged_rows, weigh
from distributary.rules.payout import payout_in_force

_CANDIDATE_COLUMNS = ("outcome", "request_hash", "account", "charge_units")


@dataclass(frozen=True)
class Computed:
    """What a settlement manifest gives.

    Attributes:
        lines: in order of epoch, role and asset.
        leaves: in order of kind and address.
        charges: in order of deciding epoch and request hash; each charge once, as the posting
            leaves it.
        pools: funded units by epoch.
        unclaimed: units by owner after the posting.
        earned_total: of all leaves of kind 0, base units.
        charged_total: of all leaves of kind 1.
        root: 0x and 64 hex digits; zero if there is no leaf.
        tree: None if there is no leaf.
    """

    lines: list[Line]
    leaves: list[Leaf]
    charges: Sequence[Charge]
    pools: dict[int, int]
    unclaimed: dict[str, int]
    earned_total: int
    charged_total: int
    root: str
    tree: Tree | None


def compute(lake: Path, manifest: SettlementManifest) -> Computed:
    """Computes a posting from the files that its manifest names.

    Args:
        lake: the lake folder.
        manifest: the settlement manifest.

    Raises:
        DistributaryError: `lake_file_damaged`, `bad_input_file`, `charged_twice`,
            `account_overdrawn`, `weights_disagree`.
        InputError: `unknown_rule`.
    """
    return compute_posting(open_posting(lake, manifest))


def compute_posting(posting: Posting) -> Computed:
    """Computes a posting whose files are read and checked; raises as `compute` does."""
    funding = fund_posting(posting)
    return conclude(posting, funding, weigh(posting, funding.placement))


def conclude(posting: Posting, funding: Funding, tallies: Mapping[int, Tally]) -> Computed:
    """Lines, leaves and root from funded charges and summed weights."""
    lines = make_lines(posting, tallies)
    leaves = make_leaves(posting.inputs, earned_by_payee(lines), funding.charged)
    tree = build_tree(leaves) if leaves else None
    last = payout_in_force(posting.payouts, posting.manifest.to_epoch)
    return Computed(
        lines=lines,
        leaves=leaves,
        charges=funding.charges,
        pools={epoch: tally.pool for epoch, tally in tallies.items()},
        unclaimed=unclaimed_after(posting.inputs.unclaimed, lines, last),
        earned_total=total(leaves, EARNED),
        charged_total=total(leaves, CHARGED),
        root=tree.root if tree else ZERO_ROOT,
        tree=tree,
    )


def available_units(inputs: Inputs) -> dict[str, int]:
    """The credit of each account before the posting: deposited - withdrawn - charged.

    Raises:
        DistributaryError: `account_overdrawn`: invariant I3 does not hold at the pinned block.
    """
    available = {}
    for account, funds in inputs.accounts.items():
        charged = inputs.active_leaves.get((CHARGED, account), 0)
        units = funds.deposited_units - funds.withdrawn_units - charged
        if units < 0:
            raise DistributaryError(
                "An account has paid more than it deposited: nothing is settled before that is "
                "explained.",
                value=account,
                code="account_overdrawn",
            )
        available[account] = units
    return available


def fund_posting(posting: Posting) -> Funding:
    """Funds the charges of all epochs in order.

    Raises:
        DistributaryError: `charged_twice`, `account_overdrawn`, `lake_file_damaged`.
    """
    funder = make_funder(posting)
    charges: list[Charge] = []
    for each in posting.epochs:
        rule = payout_in_force(posting.payouts, each.epoch)
        is_last = each is posting.epochs[-1]
        charges += funder.decide(each.epoch, _charged(each), rule, is_last=is_last)
    charges.sort(key=lambda charge: charge[:2])
    seen: set[str] = set()
    for charge in charges:
        if charge.request_hash in seen:
            raise charged_twice(charge.request_hash)
        seen.add(charge.request_hash)
    return funder.funding(charges)


def make_funder(posting: Posting) -> Funder:
    """What funds a posting: credit, freezes, and what is carried in.

    Raises:
        DistributaryError: `account_overdrawn`.
    """
    rows = posting.inputs.carried
    columns = [rows[n].to_pylist() for n in ("epoch", "request_hash", "account", "charge_units")]
    carried = [
        Candidate(own_epoch, hash_, intern(account), int(units))
        for own_epoch, hash_, account, units in zip(*columns, strict=True)
    ]
    return Funder(available_units(posting.inputs), _frozen(posting), carried)


def charged_twice(request_hash: str) -> DistributaryError:
    """Invariant I2 within a posting, charges carried in included."""
    return DistributaryError(
        "A request hash is charged twice, so nothing is settled.",
        value=request_hash,
        code="charged_twice",
    )


def make_lines(posting: Posting, tallies: Mapping[int, Tally]) -> list[Line]:
    """The lines of all epochs, releases and refunds included.

    Raises:
        DistributaryError: `weights_disagree`.
        InputError: `unknown_rule`.
    """
    lines: list[Line] = []
    inputs, first = posting.inputs, posting.manifest.from_epoch
    for epoch, tally in tallies.items():
        rule = payout_in_force(posting.payouts, epoch)
        weights = tally.weights(posting.splits)
        lines += divide_pool(epoch, tally.pool, weights, inputs, rule)
        if epoch == first:
            lines += release(epoch, inputs.unclaimed, inputs.bindings, rule)
    lines += [
        Line(each.epoch, "refund", each.request_hash, "", each.account, each.units, each.reason)
        for each in inputs.corrections
        if each.kind == "refund" and each.units
    ]
    return sorted(lines, key=lambda line: line[:3])


def _frozen(posting: Posting) -> dict[str, int]:
    """By frozen account, the last epoch in which it pays."""
    manifest = posting.manifest
    cuts = [(each.epoch, each.cut_block) for each in manifest.epochs]
    if manifest.previous_cut_block is not None:
        cuts.insert(0, (manifest.from_epoch - 1, manifest.previous_cut_block))
    return {
        account: freeze_epoch(cuts, funds.freeze_block, manifest.grace_blocks)
        for account, funds in posting.inputs.accounts.items()
        if funds.freeze_block is not None
    }


def _charged(files: EpochFiles) -> list[Candidate]:
    candidates: list[Candidate] = []
    for path in files.answers:
        for table in read_answers(path, _CANDIDATE_COLUMNS):
            rows = charged_rows(table)
            columns = [rows[name].to_pylist() for name in _CANDIDATE_COLUMNS[1:]]
            candidates += [
                Candidate(files.epoch, hash_, intern(account), int(units))
                for hash_, account, units in zip(*columns, strict=True)
            ]
    return candidates
