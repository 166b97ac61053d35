"""Closing an epoch: fix its ranges, make its files canonical, write its answers manifest.

Each step is atomic and safe to repeat, so closing again completes what a crash broke off:

1. under the exclusive fence: sweep orphans, fix the offset ranges and the cut block, refuse
   further rows, and open the next epoch, in one transaction (`closing`);
2. one canonical Parquet file per partition, replaced atomically, made of recorded files alone;
3. the answers manifest, RFC 8785, likewise;
4. files and manifest hash recorded in one transaction (`closed`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby, pairwise
from pathlib import Path
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import TupleRow

from distributary.attribution.method import METHOD
from distributary.canonical import canonical_json, sha256_hex
from distributary.datanets.durable import write_durably
from distributary.errors import DistributaryError
from distributary.identity import Domain
from distributary.lake.compaction import Expected, compact, write_quarantine
from distributary.lake.files import LakeFile, epoch_folder, manifest_path
from distributary.lake.sweep import sweep_orphans
from distributary.store.epochs import (
    BundleFile,
    OffsetRange,
    OutcomeCount,
    begin_closing,
    count_conflicts,
    find_epoch,
    finish_closing,
    list_epochs,
    lock_closing,
    open_epoch,
    read_counts,
    read_files,
    read_quarantine,
    read_ranges,
)
from distributary.store.fence import hold_fence, read_open_epoch
from distributary.store.purchases import prune_purchases

MANIFEST_VERSION: Final = 1


@dataclass(frozen=True)
class Closer:
    """Closes epochs.

    Attributes:
        lake: the lake folder.
        domain: chain and contract that the answers' requests were signed for.
        method: method version of the next epoch's weights.
        purchases_before_s: purchases whose requests expired before this Unix second are pruned.
        read_cut: the number of a finalized block, read while nothing can enter the epoch; None
            where there is no chain, and then the epoch is never settled.
        on_file: called as committed files are read: how many are, and how many there are.
    """

    lake: Path
    domain: Domain
    method: str = METHOD
    purchases_before_s: int = 0
    read_cut: Callable[[], int | None] = lambda: None
    on_file: Callable[[int, int], None] = lambda _done, _files: None

    def close(self, connection: Connection[TupleRow], epoch: int | None = None) -> int:
        """Closes an epoch, or completes what was begun; does nothing to one that is closed.

        Args:
            connection: in autocommit, of the owner of the schema.
            epoch: by default one whose closing was broken off, else the open one.

        Returns:
            The epoch that is closed now.

        Raises:
            InputError: `unknown_epoch`.
            DistributaryError: `books_disagree`, `lake_file_damaged`: nothing is signed off.
        """
        lock_closing(connection)
        if epoch is None:
            broken_off = [e.epoch for e in list_epochs(connection) if e.state == "closing"]
            epoch = broken_off[0] if broken_off else read_open_epoch(connection).epoch
        state = find_epoch(connection, epoch).state
        if state == "open":
            self.fix(connection, epoch)
        if state != "closed":
            self.seal(connection, epoch)
        return epoch

    def fix(self, connection: Connection[TupleRow], epoch: int) -> None:
        """Step 1: nothing enters the epoch from now on, and the next one is open."""
        with connection.transaction():
            hold_fence(connection)
            committed = {file.file for file in read_files(connection, epoch)}
            sweep_orphans(self.lake, epoch, committed)
            begin_closing(connection, epoch, self.read_cut())
            open_epoch(connection, self.method)

    def seal(self, connection: Connection[TupleRow], epoch: int) -> None:
        """Steps 2 to 4."""
        ranges, files = read_ranges(connection, epoch), read_files(connection, epoch)
        counts = read_counts(connection, epoch)
        check_books(ranges, files, counts)
        canonical = self.compact(connection, epoch, ranges, files)
        manifest = self.manifest(connection, epoch, ranges, canonical, counts)
        write_durably(manifest_path(self.lake, epoch), manifest)
        with connection.transaction():
            finish_closing(connection, epoch, canonical, bytes.fromhex(sha256_hex(manifest)))
            prune_purchases(connection, self.purchases_before_s)

    def compact(
        self,
        connection: Connection[TupleRow],
        epoch: int,
        ranges: Sequence[OffsetRange],
        files: Sequence[BundleFile],
    ) -> list[LakeFile]:
        """Step 2: the canonical files, in order of topic id and partition."""
        folder, canonical = epoch_folder(self.lake, epoch), []
        done, total = count(1), sum(1 for file in files if file.rows)
        for given in ranges:
            expected = [Expected(f.file, f.sha256) for f in files if _is_of(f, given) and f.rows]
            if expected:
                name = f"answers-{given.topic_id}-{given.partition:05d}.parquet"
                read = (self._next(done, total, file) for file in expected)
                canonical.append(compact(self.lake, epoch, read, folder / name))
        if set_aside := read_quarantine(connection, epoch):
            canonical.append(write_quarantine(folder / "quarantine.parquet", set_aside))
        return canonical

    def _next(self, done: Iterator[int], total: int, file: Expected) -> Expected:
        self.on_file(next(done), total)
        return file

    def manifest(
        self,
        connection: Connection[TupleRow],
        epoch: int,
        ranges: Sequence[OffsetRange],
        files: Sequence[LakeFile],
        counts: Sequence[OutcomeCount],
    ) -> bytes:
        """Step 3: the answers manifest; `cut_block` is null where there was no chain."""
        found = find_epoch(connection, epoch)
        return canonical_json(
            {
                "version": MANIFEST_VERSION,
                "epoch": epoch,
                "method": found.method,
                "chain_id": self.domain.chain_id,
                "contract": self.domain.contract,
                "cut_block": found.cut_block,
                "ranges": [_range(each) for each in ranges],
                "files": [_file(each) for each in files],
                "counts": counts_by_outcome(counts),
                "charged_units": str(sum(int(each.charge_units) for each in counts)),
            }
        )


def counts_by_outcome(counts: Sequence[OutcomeCount]) -> dict[str, Any]:
    """Records by outcome; by reason where the outcome has one."""
    by_outcome: dict[str, Any] = {
        "charged": 0,
        "duplicate": 0,
        "uncharged": {},
        "quarantined": {},
        "records": sum(each.records for each in counts),
    }
    for each in counts:
        if each.reason is None:
            by_outcome[each.outcome] = each.records
        else:
            by_outcome[each.outcome][each.reason] = each.records
    return by_outcome


def check_books(
    ranges: Sequence[OffsetRange], files: Sequence[BundleFile], counts: Sequence[OutcomeCount]
) -> None:
    """Invariant I1: the committed files cover the ranges, and every record came out somehow.

    Raises:
        DistributaryError: `books_disagree`.
    """
    covered = {
        key: _follow(list(group))
        for key, group in groupby(files, key=lambda file: (file.topic, file.partition))
    }
    for each in ranges:
        span = covered.pop((each.topic, each.partition), (each.from_offset, each.from_offset))
        if span != (each.from_offset, each.to_offset):
            raise _disagree(f"partition {each.partition} covers {span}")
    if covered:
        raise _disagree(f"files outside of the ranges: {sorted(covered)}")
    delivered, booked = sum(f.records for f in files), sum(c.records for c in counts)
    if delivered != booked:
        raise _disagree(f"{delivered} records were committed and {booked} are booked")


def _follow(files: list[BundleFile]) -> tuple[int, int] | None:
    """From where to where files reach; None if there is a hole."""
    for earlier, later in pairwise(files):
        if earlier.to_offset != later.from_offset:
            return None
    return files[0].from_offset, files[-1].to_offset


def _disagree(what: str) -> DistributaryError:
    return DistributaryError(
        f"The books of the epoch disagree, so it is not closed: {what}.", code="books_disagree"
    )


def _is_of(file: BundleFile, given: OffsetRange) -> bool:
    return (file.topic, file.partition) == (given.topic, given.partition)


def _range(given: OffsetRange) -> dict[str, Any]:
    return {
        "topic_id": given.topic_id,
        "partition": given.partition,
        "from_offset": given.from_offset,
        "to_offset": given.to_offset,
    }


def _file(file: LakeFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "rows": file.rows,
        "bytes": file.size_bytes,
        "sha256": file.sha256.hex(),
        "digest": file.digest.hex(),
    }


def describe_epoch(connection: Connection[TupleRow], epoch: int) -> dict[str, Any]:
    """An epoch for a person: ranges, counts, and whether they agree with what was committed.

    Raises:
        InputError: `unknown_epoch`.
    """
    found = find_epoch(connection, epoch)
    ranges, files = read_ranges(connection, epoch), read_files(connection, epoch)
    counts = read_counts(connection, epoch)
    try:
        check_books(ranges, files, counts)
        agree = True
    except DistributaryError:
        agree = False
    return {
        "epoch": found.epoch,
        "state": found.state,
        "method": found.method,
        "opened_at": found.opened_at,
        "closed_at": found.closed_at,
        "manifest_hash": found.manifest_hash,
        "ranges": [_range(each) for each in ranges],
        "counts": counts_by_outcome(counts),
        "charged_units": str(sum(int(each.charge_units) for each in counts)),
        "conflicts": count_conflicts(connection, epoch),
        "committed": sum(file.records for file in files),
        "bundles": len(files),
        "books_agree": agree,
    }
