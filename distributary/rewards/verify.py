"""Verifying a posting from its files alone (invariant I8): no database, no chain, no prompts.

What needs our servers is not checked and said so: that session keys were delegated, that weights
and token counts are right, and that the chain was read truly; for the last compare the root with
the contract's, and the inputs with its events.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa

from distributary.errors import DistributaryError
from distributary.merkle import build_tree
from distributary.rewards.books import check_epoch, check_money
from distributary.rewards.columnar import fund_columns
from distributary.rewards.findings import ChainFact, Findings, Report
from distributary.rewards.inputs import Inputs, read_inputs
from distributary.rewards.leaves import Leaf
from distributary.rewards.manifest import ZERO_ROOT, SettlementManifest
from distributary.rewards.outputs import TREE_NAME, output_tables, tree_root
from distributary.rewards.posting import Posting, open_posting
from distributary.rewards.previous import check_carried_in, find_previous
from distributary.rewards.reference import Computed, conclude
from distributary.rewards.row_checks import ROW_CHECKS
from distributary.rewards.signature_checks import Signatures
from distributary.rewards.weighing_columns import weigh_columns
from distributary.rewards.workers import check_rows

NOT_CHECKED: Final = (
    "that each session key was delegated by its account: delegations are held by the operator",
    "that weights and token counts are right: that takes prompts and answers, and is for audits",
    "that no answer was charged in an epoch before this posting",
)
NOT_CHAIN: Final = (
    "that deposits, withdrawals, freezes and bindings are the chain's at the pinned block"
)

OnStep = Callable[[str, int, int], None]
Chain = Callable[[SettlementManifest, Inputs, str], Iterable[ChainFact]]
"""What the chain says of a posting, given its manifest, its inputs and the recomputed root."""


def verify(
    lake: Path,
    manifest: SettlementManifest,
    posted_root: str | None = None,
    *,
    signatures: Signatures | str = Signatures.ALL,
    chain: Chain | None = None,
    on_step: OnStep = lambda _step, _done, _all: None,
) -> Report:
    """Recomputes a posting and checks everything that its files allow to check.

    Args:
        lake: the lake folder, or a copy of what the manifest names.
        manifest: the settlement manifest.
        posted_root: what the chain says; without it the root of `tree.json` beside the manifest.
        signatures: `all`, `sample` (one in a hundred, by request hash) or `none`.
        chain: asks a node; without it nothing is asked.
        on_step: called with a step's name, how much of it is done, and how much there is.

    Returns:
        The report; a failed check is in it, not raised.

    Raises:
        DistributaryError: the node of `chain` does not answer.
    """
    findings = Findings()
    computed = None
    try:
        computed = _recompute(lake, manifest, Signatures(signatures), findings, on_step)
    except DistributaryError as error:
        findings.check(error.code, False, str(error))
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        # Hashed, but nothing that our own jobs would write: the files are an adversary's.
        findings.check("unreadable", False, f"the files cannot be read: {error!r:.200}")
    if computed is not None:
        posted_root = _compare(lake / manifest.folder, computed, posted_root, findings, on_step)
        if chain is not None:
            _ask_chain(chain, lake, manifest, computed.root, findings, on_step)
    return Report(
        manifest.folder,
        manifest.hash,
        computed.root if computed else None,
        posted_root,
        findings.all(),
        _not_checked(lake, manifest, Signatures(signatures), is_asked=chain is not None),
    )


def _recompute(
    lake: Path,
    manifest: SettlementManifest,
    signatures: Signatures,
    findings: Findings,
    on_step: OnStep,
) -> Computed:
    files: list[Path] = []
    on_step("files", 0, 1)
    posting = open_posting(lake, manifest, each_file=files.append)
    findings.add("files", len(files) + len(manifest.files) + len(manifest.epochs))
    findings.add("rules", len(manifest.rules))
    for number, each in enumerate(posting.epochs):
        on_step("books", number, len(posting.epochs))
        check_epoch(each, posting, findings)
    _check_parent(posting, findings)
    check_carried_in(lake, posting, findings)
    _check_rows(posting, signatures, findings, on_step)
    on_step("funding", 0, 1)
    funding = fund_columns(posting)
    findings.add("charged_once", len(funding.charges))
    on_step("weights", 0, 1)
    computed = conclude(posting, funding, weigh_columns(posting, funding.placement))
    check_money(posting, computed, funding, findings)
    return computed


def _check_rows(
    posting: Posting, signatures: Signatures, findings: Findings, on_step: OnStep
) -> None:
    every = posting.inputs.carried.num_rows
    every += sum(each.answers_manifest["counts"]["charged"] for each in posting.epochs)
    done = 0
    for found in check_rows(posting, signatures):
        done += found.rows
        on_step("rows", done, every)
        for name in ROW_CHECKS:
            failed = found.failed.get(name, [])
            looked_at = found.signatures if name == "signature" else found.rows
            if looked_at or failed:
                findings.add(name, looked_at, len(failed), *failed[:3])


def _check_parent(posting: Posting, findings: Findings) -> None:
    leaves = [Leaf(*key, units) for key, units in sorted(posting.inputs.active_leaves.items())]
    root = build_tree(leaves).root if leaves else ZERO_ROOT
    findings.equal("parent_root", "the parent's root", posting.manifest.parent_root, root)


def _compare(
    folder: Path,
    computed: Computed,
    posted_root: str | None,
    findings: Findings,
    on_step: OnStep,
) -> str | None:
    """Compares with the outputs beside the manifest, where there are, and with the root."""
    import pyarrow.parquet as pq

    on_step("outputs", 0, 1)
    for name, table in output_tables(computed).items():
        if (folder / name).is_file():
            try:
                same = pq.ParquetFile(folder / name).read().equals(table)
            except (pa.ArrowException, OSError):
                same = False
            findings.check("outputs", same, f"{name} is not what the inputs give")
    if (folder / TREE_NAME).is_file():
        same = computed.tree is not None and _same_bytes(folder / TREE_NAME, computed.tree.dump())
        findings.check("outputs", same, f"{TREE_NAME} is not what the inputs give")
        posted_root = posted_root or tree_root(folder / TREE_NAME)
    if posted_root is not None:
        findings.equal("root", "the root", posted_root.lower(), computed.root)
    return posted_root


def _ask_chain(
    chain: Chain,
    lake: Path,
    manifest: SettlementManifest,
    root: str,
    findings: Findings,
    on_step: OnStep,
) -> None:
    inputs = read_inputs(lake / manifest.folder, manifest.files)
    for number, fact in enumerate(chain(manifest, inputs, root)):
        on_step("chain", number, len(inputs.accounts) + len(manifest.epochs))
        findings.equal(fact.check, fact.what, fact.stated, fact.found)


def _same_bytes(path: Path, chunks: Iterable[bytes]) -> bool:
    with path.open("rb") as file:
        return all(file.read(len(chunk)) == chunk for chunk in chunks) and not file.read(1)


def _not_checked(
    lake: Path, manifest: SettlementManifest, signatures: Signatures, *, is_asked: bool
) -> tuple[str, ...]:
    sentences = [*NOT_CHECKED] if is_asked else [*NOT_CHECKED, NOT_CHAIN]
    if manifest.parent_root != ZERO_ROOT and find_previous(lake, manifest) is None:
        sentences.append("what was carried in: the files of the posting before are not here")
    if signatures is Signatures.SAMPLE:
        sentences.append("99 signatures in a hundred")
    if signatures is Signatures.NONE:
        sentences.append("any signature")
    return tuple(sentences)
