"""Closing epochs, against a real Postgres and a real folder."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from distributary import epochs
from distributary.answers import Answer
from distributary.epochs import Closer, describe_epoch
from distributary.errors import DistributaryError
from distributary.lake.files import answers_path, epoch_folder, manifest_path
from distributary.recording.records import Lane
from distributary.store import connect, migrate
from distributary.store.commit import Committer
from distributary.store.epochs import find_epoch, list_epochs
from distributary.store.fence import enter_open_epoch
from distributary.store.lanes import open_lane
from distributary.store.purchases import DAY_S, prune_purchases, purchases_needed_s
from tests.signed_answers import DOMAIN, Customer, batch, bundle, charge_units

Connection = psycopg.Connection[Any]


def answers(count: int) -> list[Answer | bytes]:
    """Good answers, with a refusal, a duplicate and rubbish at the end."""
    customer = Customer()
    good: list[Answer | bytes] = [customer.answer(number) for number in range(count)]
    return [*good, customer.refused(10**6), good[0], b"rubbish"]


def commit_cut(
    committer: Committer, connection: Connection, lane: Lane, given: list[Answer | bytes], size: int
) -> None:
    """Commits records in bundles of `size`."""
    for start in range(0, len(given), size):
        committer.commit(connection, bundle(batch(lane, start, given[start : start + size])))


def closer(committer: Committer) -> Closer:
    return Closer(committer.lake, DOMAIN)


def test_close__epoch_with_answers__writes_canonical_files_and_manifest(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    commit_cut(committer, connection, lane, answers(10), 4)

    closed = find_epoch(owner, closer(committer).close(owner))

    written = manifest_path(committer.lake, 1).read_bytes()
    assert hashlib.sha256(written).hexdigest() == closed.manifest_hash
    manifest = json.loads(written)
    assert manifest["cut_block"] is None
    assert manifest["method"] == "spans-1"
    assert manifest["ranges"] == [
        {"topic_id": "answers-topic", "partition": 0, "from_offset": 0, "to_offset": 13}
    ]
    assert manifest["counts"] == {
        "charged": 10,
        "duplicate": 1,
        "uncharged": {"refused": 1},
        "quarantined": {"unreadable": 1},
        "records": 13,
    }
    assert manifest["charged_units"] == str(10 * charge_units(100, 10))
    table, aside = (
        pq.read_table(epoch_folder(committer.lake, 1) / file["name"]) for file in manifest["files"]
    )
    assert table["answer_offset"].to_pylist() == list(range(12))
    assert aside["answer_offset"].to_pylist() == [12]
    for file in manifest["files"]:
        data = (epoch_folder(committer.lake, 1) / file["name"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file["sha256"], file["bytes"])


def test_close__progress__counts_the_committed_files_up_to_all(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    commit_cut(committer, connection, lane, answers(9), 4)
    seen: list[tuple[int, int]] = []

    def note(done: int, files: int) -> None:
        seen.append((done, files))

    Closer(committer.lake, DOMAIN, on_file=note).close(owner)

    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_close__same_records_in_other_bundles__gives_the_same_bytes(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    manifests = []
    for size in (1, 5, 100):
        dsn = fresh_database()
        migrate(dsn)
        names = iter(range(100))
        committer = Committer(
            tmp_path / str(size),
            {document: number for number, document in enumerate(_documents(), 1)},
            lambda names=names: str(next(names)),
        )
        with connect(dsn, autocommit=True) as owner:
            lane = open_lane(owner, "answers-topic", "inference.answers", 0, 0).lane
            commit_cut(committer, owner, lane, answers(17), size)
            closer(committer).close(owner)
        manifests.append(manifest_path(committer.lake, 1).read_bytes())

    assert manifests[0] == manifests[1] == manifests[2]


def _documents() -> tuple[str, ...]:
    from tests.signed_answers import DOCUMENTS

    return DOCUMENTS


def test_close__row_group_boundaries__leave_no_trace_of_bundles(
    monkeypatch: pytest.MonkeyPatch, fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    monkeypatch.setattr("distributary.lake.compaction.ROW_GROUP_ROWS", 4)

    test_close__same_records_in_other_bundles__gives_the_same_bytes(fresh_database, tmp_path)

    (file,) = (tmp_path / "1" / "epochs" / "00000001").glob("answers-*.parquet")
    groups = pq.ParquetFile(file).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [4] * 4 + [3]


def test_close__empty_epoch__passes(owner: Connection, committer: Committer) -> None:
    assert closer(committer).close(owner) == 1
    assert [e.state for e in list_epochs(owner)] == ["closed", "open"]


def test_close__again__changes_nothing(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    commit_cut(committer, connection, lane, answers(3), 4)
    closer(committer).close(owner, 1)
    first = find_epoch(owner, 1)

    closer(committer).close(owner, 1)

    assert find_epoch(owner, 1) == first
    assert len(list_epochs(owner)) == 2


def test_close__answers_after_it__go_into_the_next_epoch_whose_range_follows(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    given = answers(5)
    commit_cut(committer, connection, lane, given, 4)
    closer(committer).close(owner)
    late = batch(lane, len(given), [Customer().answer(77)])
    committer.commit(connection, bundle(late))

    shown = describe_epoch(owner, 2)

    assert shown["ranges"][0]["from_offset"] == len(given)
    assert shown["ranges"][0]["to_offset"] == len(given) + 1
    assert shown["books_agree"]


@pytest.mark.parametrize(
    "step", ["compact", "write_quarantine", "canonical_json", "write_durably", "finish_closing"]
)
def test_close__crash_before_any_step__is_completed_by_the_next_close(
    owner: Connection,
    connection: Connection,
    committer: Committer,
    lane: Lane,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    commit_cut(committer, connection, lane, answers(6), 4)

    class CrashError(Exception):
        pass

    def crash(*_: object) -> None:
        raise CrashError

    with monkeypatch.context() as context:
        context.setattr(epochs, step, crash)
        with pytest.raises(CrashError):
            closer(committer).close(owner)
    assert find_epoch(owner, 1).state == "closing"

    assert closer(committer).close(owner) == 1

    assert [e.state for e in list_epochs(owner)] == ["closed", "open"]
    written = manifest_path(committer.lake, 1).read_bytes()
    assert hashlib.sha256(written).hexdigest() == find_epoch(owner, 1).manifest_hash


def test_close__crash_while_fixing__leaves_the_epoch_open(
    owner: Connection, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        context.setattr(epochs, "open_epoch", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            closer(committer).close(owner)

    assert [e.state for e in list_epochs(owner)] == ["open"]


@pytest.mark.parametrize("table", ["answers", "attributions", "quarantine", "lake_files"])
def test_closed_epoch__owner_inserts_a_row__is_refused(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane, table: str
) -> None:
    commit_cut(committer, connection, lane, answers(2), 100)
    closer(committer).close(owner)
    (columns,) = owner.execute(
        """
        select string_agg(column_name, ', ') from information_schema.columns
        where table_name = %s and is_generated = 'NEVER'
        """,
        (table,),
    ).fetchone()

    with pytest.raises(psycopg.errors.RestrictViolation, match="epoch 1 is not open"):
        owner.execute(
            f"insert into {table} ({columns}) select {columns} from {table} where epoch = 1"
        )


@pytest.mark.parametrize(
    "change",
    [
        "update epochs set state = 'open' where epoch = 1",
        "update epochs set manifest_hash = sha256('x') where epoch = 1",
        "delete from epochs",
        "update epoch_ranges set to_offset = to_offset + 1",
        "delete from epoch_files",
    ],
)
def test_closed_epoch__owner_changes_it__is_refused(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane, change: str
) -> None:
    commit_cut(committer, connection, lane, answers(2), 100)
    closer(committer).close(owner)

    with pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(change)


def test_close__orphans_of_failed_bundles__are_swept_and_committed_files_kept(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    commit_cut(committer, connection, lane, answers(3), 100)
    orphan = answers_path(committer.lake, 1, "orphan")
    orphan.write_bytes(b"left by a bundle that failed")

    closer(committer).close(owner)

    assert not orphan.exists()
    assert answers_path(committer.lake, 1, "0").exists()


def test_close__committed_file_damaged__closes_nothing(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    commit_cut(committer, connection, lane, answers(3), 100)
    path = answers_path(committer.lake, 1, "0")
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(DistributaryError, match="missing or damaged"):
        closer(committer).close(owner)

    assert find_epoch(owner, 1).manifest_hash is None


def test_close__commit_under_way__waits_for_it(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane, dsn: str
) -> None:
    with connect(dsn) as committing:
        enter_open_epoch(committing)
        closing = threading.Thread(target=closer(committer).close, args=(owner,))
        closing.start()
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        with connect(dsn, autocommit=True) as looking:
            limit = time.monotonic() + 60
            while looking.execute(waits).fetchone() != (1,):
                assert time.monotonic() < limit, "nobody waits for the fence"
            assert [e.state for e in list_epochs(looking)] == ["open"]
        committing.commit()
    closing.join(60)

    assert [e.state for e in list_epochs(connection)] == ["closed", "open"]


def test_purchases__expired_long_ago__are_pruned_at_close(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    commit_cut(committer, connection, lane, answers(3), 100)
    Closer(committer.lake, DOMAIN, purchases_before_s=2**40).close(owner)

    assert owner.execute("select count(*) from purchases").fetchone() == (0,)


def test_prune_purchases__one_of_two_expired_before__only_that_one_goes(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    commit_cut(committer, connection, lane, answers(1), 100)
    (expires_at,) = owner.execute("select expires_at from purchases").fetchone()

    assert prune_purchases(owner, expires_at) == 0
    assert prune_purchases(owner, expires_at + 1) == 1


def test_purchases_needed_s__copies_that_wait_in_both_topics__are_still_known() -> None:
    # Admitted in its last second, read at the end of one retention, answered and read at the end
    # of another: charged unless the purchase of its first copy is still there.
    assert purchases_needed_s(14 * DAY_S) > 2 * 14 * DAY_S


def test_show__one_identity_with_two_request_hashes__charges_both_and_reports_a_conflict(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    customer = Customer()
    both = [customer.answer(number, id="same") for number in range(2)]
    committer.commit(connection, bundle(batch(lane, 0, both)))

    shown = describe_epoch(owner, 1)

    assert shown["counts"]["charged"] == 2
    assert shown["conflicts"] == 1


def test_close__rows_and_committed_files_disagree__closes_nothing(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> None:
    commit_cut(committer, connection, lane, answers(3), 100)
    owner.execute("alter table answers disable trigger user")
    owner.execute("alter table answers_1 disable trigger user")
    owner.execute("delete from answers where answer_offset = 1")

    with pytest.raises(DistributaryError, match="6 records were committed and 5 are booked"):
        closer(committer).close(owner)

    assert describe_epoch(owner, 1)["books_agree"] is False
    assert find_epoch(owner, 1).state == "closing"
