"""The gate as settlement and people run it: gather, check, and stop or hold by name."""

from dataclasses import dataclass, field

from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.errors import DistributaryError, InputError
from distributary.merkle import build_tree
from distributary.rewards.inputs import CHARGED, EARNED
from distributary.rewards.leaves import total
from distributary.rewards.manifest import NAME, ZERO_ROOT, load_manifest, posting_folder
from distributary.settings import Settings
from distributary.store.built_rewards import read_leaves
from orchestration.dbt import Built, Dbt
from orchestration.gate.evidence import gather
from orchestration.gate.frames import make_frames
from orchestration.gate.validating import Verdict, validate
from orchestration.settlement.postings import Posted, find_posting
from orchestration.settlement.stops import StopError


@dataclass
class Gatekeeper:
    """Stands between a computed posting and its signature.

    Attributes:
        settings: places, and the factor of the trailing median.
        connection: any.
        built: what dbt did for the posting; nothing passes without it.
    """

    settings: Settings
    connection: Connection[TupleRow]
    built: Built = field(default_factory=lambda: Built(()))

    def note_built(self, built: Built) -> None:
        """Remembers what dbt did."""
        self.built = built

    def check(self, posted: Posted) -> None:
        """Lets a posting pass.

        Raises:
            StopError: `gate_failed`, `epoch_held`.
        """
        found = self.look(posted)
        if found.verdict == "held":
            raise StopError(
                "epoch_held",
                "Look at it, then run `distributary gate EPOCH --release-by NAME --note WHY`.",
                value=", ".join(map(str, found.held)),
            )
        if found.verdict != "passed":
            named = "; ".join(f"{f.suite}: {f.expectation} {f.found}" for f in found.failures)
            raise StopError("gate_failed", f"Data Docs: {found.docs}.", value=named[:500])

    def look(self, posted: Posted) -> Verdict:
        """What the gate finds; evidence that cannot be read is a failed check."""
        home = self.settings.home.resolve()
        try:
            evidence = gather(self.connection, self.settings.lake_path, posted, self.built)
        except DistributaryError as error:
            raise StopError("gate_failed", f"It cannot look: {error}") from error
        frames = make_frames(evidence, self.settings.epoch_total_factor)
        return validate(posted.posting_id, frames, home)


def check_epoch(settings: Settings, connection: Connection[TupleRow], epoch: int) -> Verdict:
    """The gate alone, on the newest posting that covers an epoch; dbt's tests are run anew.

    Raises:
        InputError: `no_posting`: none covers it.
        StopError: `gate_failed`, `rewards_failed`.
    """
    row = connection.execute(
        """
        select posting_id from settlement.postings_in where %s between from_epoch and to_epoch
        order by posting_id desc limit 1
        """,
        (epoch,),
    ).fetchone()
    if row is None:
        raise InputError(
            "No posting covers the epoch yet: run `distributary settle`.",
            value=epoch,
            code="no_posting",
        )
    posting_id = int(row[0])
    dbt = Dbt(settings.require("postgres"), settings.home.resolve() / "dbt")
    try:
        built = dbt.invoke("test", "--exclude-resource-type", "unit_test", posting_id=posting_id)
    except DistributaryError as error:
        raise StopError("rewards_failed", str(error)) from error
    posted = find_posting(connection, posting_id) or _not_stored(settings, connection, posting_id)
    return Gatekeeper(settings, connection, built).look(posted)


def _not_stored(settings: Settings, connection: Connection[TupleRow], posting_id: int) -> Posted:
    """A posting that the gate has not let pass, as it would be stored, by what dbt built."""
    row = connection.execute(
        "select from_epoch, to_epoch, attempt from settlement.postings_in where posting_id = %s",
        (posting_id,),
    ).fetchone()
    manifest = load_manifest(settings.lake_path / posting_folder(*(row or (0, 0, 0))) / NAME)
    leaves = read_leaves(connection, posting_id)
    return Posted(
        posting_id=posting_id,
        from_epoch=manifest.from_epoch,
        to_epoch=manifest.to_epoch,
        attempt=manifest.attempt,
        state="computed",
        parent_root=bytes.fromhex(manifest.parent_root[2:]),
        root=bytes.fromhex((build_tree(leaves).root if leaves else ZERO_ROOT)[2:]),
        earned_total_units=total(leaves, EARNED),
        charged_total_units=total(leaves, CHARGED),
        pinned_block=manifest.pinned_block,
        settlement_hash=bytes.fromhex(manifest.hash),
        leaves=len(leaves),
    )


def release_epoch(
    connection: Connection[TupleRow], epoch: int, released_by: str, note: str
) -> None:
    """Records that a person let an epoch go; safe to repeat.

    Raises:
        InputError: no note, or no such epoch.
    """
    from distributary.store.epochs import find_epoch

    if not note.strip():
        raise InputError("Say why with --note.", value=released_by)
    find_epoch(connection, epoch)
    connection.execute(
        "insert into epoch_releases (epoch, released_by, note) values (%s, %s, %s) "
        "on conflict do nothing",
        (epoch, released_by, note),
    )
