"""The inputs of a posting: the chain at a pinned block, the active leaves, and what waits."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from distributary.errors import DistributaryError
from distributary.lake.files import manifest_path
from distributary.lake.schema import ANSWERS
from distributary.rewards.inputs import CARRIED, AccountFunds, Inputs, read_inputs
from distributary.rewards.lines import Key
from distributary.rewards.manifest import NAME, SettlementManifest, load_manifest, posting_folder
from distributary.rewards.posting import open_posting, read_answers
from distributary.store.settlement_inputs import read_posted_leaves
from distributary.strict_json import parse_json
from orchestration.settlement.postings import Database, EpochCommit, Posted
from orchestration.settlement.stops import StopError

LABEL_BYTES_MAX: Final = 256  # the contract's
# Columns of an answer that name what earned, and the role.
_NAMED: Final = ("node", "model", "adapter", "agent")


def read_all(
    connection: Database,
    lake: Path,
    epochs: Sequence[EpochCommit],
    pinned_block: int,
    before: Posted | None,
) -> Inputs:
    """Reads what the next posting is computed from.

    Args:
        connection: in one snapshot.
        lake: the lake folder.
        epochs: those that the posting covers, in order.
        pinned_block: a final block that is indexed.
        before: the active posting, if there is one.

    Raises:
        StopError: `inputs_altered`.
        DistributaryError: `lake_file_damaged`, `bad_input_file`.
    """
    posting_id, leaves = read_posted_leaves(connection)
    if posting_id != (before.posting_id if before else None):
        raise StopError("inputs_altered", "The posted leaves are not the active posting's.")
    carried, unclaimed = _left_over(lake, before)
    return Inputs(
        accounts=read_accounts(connection, pinned_block),
        bindings=read_bindings(connection, pinned_block),
        assets=read_assets(connection, _named_assets(lake, epochs, carried)),
        active_leaves={(leaf.kind, leaf.address): leaf.cumulative_units for leaf in leaves},
        carried=carried,
        unclaimed=unclaimed,
    )


def read_accounts(connection: Database, block: int) -> dict[str, AccountFunds]:
    """Every account with a deposit, as of a block."""
    rows = connection.execute(
        """
        select account, sum(units), coalesce((
                select sum(w.units) from chain_withdrawals w
                where w.account = d.account and w.block <= %(block)s), 0),
            (select f.block from chain_freezes f
                where f.account = d.account and f.block <= %(block)s)
        from chain_deposits d where block <= %(block)s group by account
        """,
        {"block": block},
    ).fetchall()
    return {a: AccountFunds(int(given), int(taken), freeze) for a, given, taken, freeze in rows}


def read_bindings(connection: Database, block: int) -> dict[str, str]:
    """Payee by owner, as of a block."""
    rows = connection.execute(
        "select label, payee from chain_bindings where block <= %s", (block,)
    ).fetchall()
    return {label: payee for label, payee in rows}  # noqa: C416


def unbound_on_chain(connection: Database) -> list[tuple[str, str]]:
    """Owners that are bound here and not yet on the chain, with their payees, in order.

    The contract takes no longer label: such an owner goes on earning into `unclaimed`.
    """
    return connection.execute(
        """
        select label, payee from payee_bindings join owners using (owner_id)
        where label not in (select label from chain_bindings)
            and octet_length(label) <= %s
        order by label collate "C"
        """,
        (LABEL_BYTES_MAX,),
    ).fetchall()


def read_assets(connection: Database, named: Iterable[Key]) -> dict[Key, str]:
    """Owner of each asset that is named, where it has one."""
    wanted = sorted(set(named))
    documents = [asset for role, asset in wanted if role == "data"]
    others = [key for key in wanted if key[0] != "data"]
    rows = connection.execute(
        """
        select 'data', document, label from documents join owners using (owner_id)
        where document = any(%s)
        union all
        select role, asset, label from assets join owners using (owner_id)
        join unnest(%s::text[], %s::text[]) named (role, asset) using (role, asset)
        """,
        (documents, [role for role, _ in others], [asset for _, asset in others]),
    ).fetchall()
    return {(role, asset): owner for role, asset, owner in rows}


def _named_assets(lake: Path, epochs: Sequence[EpochCommit], carried: pa.Table) -> set[Key]:
    """The assets of all charged answers of these epochs and of what is carried in."""
    found = _keys_of(carried)
    for each in epochs:
        for path in answers_files(lake, each.epoch):
            for table in read_answers(path, ("outcome", *_NAMED, "documents")):
                found |= _keys_of(table.filter(pa.compute.equal(table["outcome"], "charged")))
    return found


def _keys_of(answers: pa.Table) -> set[Key]:
    import pyarrow.compute as pc

    keys = {
        (role, asset) for role in _NAMED for asset in pc.unique(answers[role]).to_pylist() if asset
    }
    documents = pc.unique(pc.list_flatten(answers["documents"])).to_pylist()
    return keys | {("data", document) for document in documents}


def answers_files(lake: Path, epoch: int) -> list[Path]:
    """The canonical answers files that a closed epoch's manifest names."""
    path = manifest_path(lake, epoch)
    try:
        manifest = parse_json(path.read_bytes())
    except OSError as error:
        raise DistributaryError(
            "The answers manifest of a closed epoch is missing: restore the lake.",
            value=str(path),
            code="lake_file_damaged",
        ) from error
    names = [file["name"] for file in manifest["files"]]
    return [path.parent / name for name in names if name.startswith("answers-")]


def posting_manifest(lake: Path, posting: Posted) -> SettlementManifest:
    """The settlement manifest of a stored posting.

    Raises:
        StopError: `inputs_altered`: it is not the one that the posting carries.
    """
    folder = lake / posting_folder(posting.from_epoch, posting.to_epoch, posting.attempt)
    manifest = load_manifest(folder / NAME)
    if manifest.hash != posting.settlement_hash.hex():
        raise StopError("inputs_altered", value=str(folder / NAME))
    return manifest


def _left_over(lake: Path, before: Posted | None) -> tuple[pa.Table, dict[str, int]]:
    """What the active posting carries on, and what it left unclaimed, by its own files."""
    if before is None:
        return CARRIED.empty_table(), {}
    from distributary.rewards.reference import compute_posting

    manifest = posting_manifest(lake, before)
    computed = compute_posting(open_posting(lake, manifest))
    if computed.root != "0x" + before.root.hex():
        raise StopError("roots_differ", "The active posting's own files give another root.")
    waiting = {c.request_hash for c in computed.charges if c.state == "carried"}
    return _carried_rows(lake, manifest, waiting), computed.unclaimed


def _carried_rows(lake: Path, manifest: SettlementManifest, waiting: set[str]) -> pa.Table:
    """The answers behind charges that wait, with their own epochs, sorted by their key."""
    tables = [read_inputs(lake / manifest.folder, manifest.files).carried]
    for each in manifest.epochs:
        for path in answers_files(lake, each.epoch):
            for table in read_answers(path, ANSWERS.names):
                own = pa.repeat(pa.scalar(each.epoch, pa.int64()), table.num_rows)
                charged = table.add_column(0, CARRIED.field("epoch"), own)
                tables.append(charged.filter(pa.compute.equal(charged["outcome"], "charged")))
    wanted = pa.array(sorted(waiting), pa.string())
    rows = pa.concat_tables(
        [t.filter(pa.compute.is_in(t["request_hash"], value_set=wanted)) for t in tables]
    ).cast(CARRIED)
    if rows.num_rows != len(waiting):
        raise StopError("inputs_altered", value=f"{len(waiting) - rows.num_rows} carried answers")
    return rows.sort_by([("epoch", "ascending"), ("request_hash", "ascending")])
