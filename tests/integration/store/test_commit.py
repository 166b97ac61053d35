"""The one transaction, against a real Postgres and a real folder."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from distributary.answers import Status
from distributary.errors import DistributaryError
from distributary.lake.csv import logical_digest
from distributary.lake.files import answers_path, file_sha256
from distributary.recording.records import Batch, Lane
from distributary.store import connect
from distributary.store.commit import Committer, MethodChangedError
from distributary.store.lanes import CommittedError, MovedError, SupersededError, open_lane
from tests.signed_answers import Customer, batch, bundle, charge_units, eight_weights


def count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


def outcomes(connection: psycopg.Connection[Any]) -> dict[int, tuple[str, str | None, int]]:
    rows = connection.execute("select answer_offset, outcome, reason, charge_units from answers")
    return {offset: (outcome, reason, int(units)) for offset, outcome, reason, units in rows}


def next_offset(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select next_offset from consumed where partition = 0").fetchone()
    assert row is not None
    return int(row[0])


def test_commit__good_bundle__stores_answers_weights_offsets_and_file(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    customer = Customer()
    answers = [customer.answer(0), customer.refused(1), customer.answer(2, adapter="legal")]
    given = batch(lane, 0, answers)

    committed = committer.commit(connection, bundle(given))

    units = charge_units(100, 10)
    assert outcomes(connection) == {
        0: ("charged", None, units),
        1: ("uncharged", "refused", 0),
        2: ("charged", None, units),
    }
    weights = connection.execute(
        "select answer_offset, document_id, weight, charge_units from attributions order by 1, 2"
    ).fetchall()
    assert weights == [(o, d, 10**8, units) for o in (0, 2) for d in range(1, 9)]
    shares = connection.execute("select distinct answer_offset, data_bp from attributions")
    assert dict(shares.fetchall()) == {0: 5000, 2: 4500}
    assert next_offset(connection) == 3
    assert count(connection, "purchases") == 2
    path = answers_path(committer.lake, committed.epoch, "0")
    table = pq.read_table(path, partitioning=None)
    assert table["request_hash"].to_pylist() == [
        each.judged.answer.request_hash for each in bundle(given).weighed
    ]
    recorded = connection.execute("select rows, records, sha256, digest from lake_files").fetchone()
    assert recorded == (3, 3, file_sha256(path), logical_digest(table))
    assert "prompt" not in table.column_names
    assert "text" not in table.column_names


def test_commit__charges__add_up_by_account(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane, dsn: str
) -> None:
    other = Customer(account="0x" + "b" * 40)
    answers = [Customer().answer(0), other.answer(1), Customer().answer(2)]
    committer.commit(connection, bundle(batch(lane, 0, answers)))
    committer.commit(connection, bundle(batch(lane, 3, [other.answer(3)])))

    with connect(dsn) as owner:
        rows = owner.execute("select account, charged_units from account_charges").fetchall()

    units = charge_units(100, 10)
    assert dict(rows) == {Customer().account: 2 * units, other.account: 2 * units}


def test_commit__same_request_hash_twice_in_one_bundle__lowest_offset_is_the_record(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    answer = Customer().answer(0)
    committer.commit(connection, bundle(batch(lane, 0, [answer, answer])))

    assert [outcome for outcome, _, _ in outcomes(connection).values()] == ["charged", "duplicate"]
    assert count(connection, "attributions") == 8


def test_commit__same_request_hash_in_a_later_bundle__is_a_duplicate(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    answer = Customer().answer(0)
    committer.commit(connection, bundle(batch(lane, 0, [answer])))
    committer.commit(connection, bundle(batch(lane, 1, [answer])))

    assert outcomes(connection)[1] == ("duplicate", None, 0)


def test_commit__refusal_then_execution__the_execution_is_charged(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    given = batch(lane, 0, [Customer().refused(0), Customer().answer(0)])
    committer.commit(connection, bundle(given))

    assert outcomes(connection)[1][0] == "charged"


def test_commit__replayed__is_uncharged(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    answer = Customer().answer(0)
    given = batch(lane, 0, [answer, answer._replace(status=Status.REPLAYED, offset=9)])
    committer.commit(connection, bundle(given))

    assert outcomes(connection)[1] == ("uncharged", "replayed", 0)


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param({"id": "nul \0 inside"}, id="NUL"),
        pytest.param({"node": "\ud800"}, id="lone surrogate"),
        pytest.param({"partition": 2**40}, id="number too large"),
    ],
)
def test_commit__row_that_cannot_be_stored__is_quarantined_alone(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane, spoilt: dict[str, Any]
) -> None:
    customer = Customer()
    good = [customer.answer(number) for number in range(7)]
    bad = bundle(batch(lane, 3, [customer.answer(99)])).weighed[0]
    answer = bad.judged.answer._replace(**spoilt)
    given = batch(lane, 0, [*good[:3], bad.judged.answer, *good[3:]])
    judged = bundle(given)
    weighed = list(judged.weighed)
    weighed[3] = replace(bad, judged=replace(weighed[3].judged, answer=answer))

    committer.commit(connection, replace(judged, weighed=tuple(weighed)))

    assert sorted(outcomes(connection)) == [0, 1, 2, 4, 5, 6, 7]
    rows = connection.execute("select answer_offset, reason from quarantine").fetchall()
    assert rows == [(3, "not_storable")]
    assert count(connection, "purchases") == 7
    assert next_offset(connection) == 8
    assert connection.execute("select records, rows from lake_files").fetchone() == (8, 7)


def test_commit__unreadable_record__is_quarantined(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    given = batch(lane, 0, [b"\xff not an answer", Customer().answer(1)])
    committer.commit(connection, bundle(given))

    assert sorted(outcomes(connection)) == [1]
    row = connection.execute("select answer_offset, reason, value_bytes from quarantine").fetchone()
    assert row == (0, "unreadable", 15)


def test_commit__records_set_aside__are_logged_by_coordinates_without_their_text(
    connection: psycopg.Connection[Any],
    committer: Committer,
    lane: Lane,
    caplog: pytest.LogCaptureFixture,
) -> None:
    customer = Customer()
    answer = customer.answer(99)._replace(text="a secret\0")
    judged = bundle(batch(lane, 0, [b"another secret", customer.answer(1), answer]))
    spoilt = replace(judged.weighed[1].judged, answer=answer._replace(model="secret\0"))
    weighed = (judged.weighed[0], replace(judged.weighed[1], judged=spoilt))

    committer.commit(connection, replace(judged, weighed=weighed))

    assert [line.msg for line in caplog.records if line.name == "distributary.store.commit"] == [
        {
            "msg": "answer set aside",
            "epoch": 1,
            "topic_id": lane.topic_id,
            "partition": lane.partition,
            "offset": offset,
            "reason": reason,
        }
        for offset, reason in ((0, "unreadable"), (2, "not_storable"))
    ]
    assert "secret" not in caplog.text


def test_commit__lane_opened_by_another__stops_as_superseded(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    open_lane(connection, "answers-topic", "inference.answers", 0, 0)

    with pytest.raises(SupersededError):
        committer.commit(connection, bundle(batch(lane, 0, [Customer().answer(0)])))

    assert count(connection, "answers") == count(connection, "lake_files") == 0


def test_commit__wrong_offset__is_rolled_back(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    with pytest.raises(MovedError):
        committer.commit(connection, bundle(batch(lane, 5, [Customer().answer(0)])))

    assert next_offset(connection) == 0


def test_commit__committed_before__says_so_and_stores_nothing_twice(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    given = bundle(batch(lane, 0, [Customer().answer(0)]))
    committer.commit(connection, given)

    with pytest.raises(CommittedError):
        committer.commit(connection, given)

    assert count(connection, "answers") == 1


def test_commit__weights_of_another_method__are_refused_with_the_method_wanted(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    given = bundle(batch(lane, 0, [Customer().answer(0)]), weights=eight_weights("other-9"))

    with pytest.raises(MethodChangedError):
        committer.commit(connection, given)


def test_commit__lake_read_only__stores_nothing(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    committer.lake.write_text("a file where the folder should be")

    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        committer.commit(connection, bundle(batch(lane, 0, [Customer().answer(0)])))

    assert count(connection, "answers") == count(connection, "purchases") == 0
    assert next_offset(connection) == 0


@pytest.mark.parametrize("table", ["answers", "attributions", "lake_files", "quarantine"])
@pytest.mark.parametrize("change", ["delete from {}", "update {} set epoch = epoch", "truncate {}"])
def test_events__owner_changes_them__is_refused(
    connection: psycopg.Connection[Any],
    committer: Committer,
    lane: Lane,
    dsn: str,
    table: str,
    change: str,
) -> None:
    given = batch(lane, 0, [Customer().answer(0), b"unreadable"])
    committer.commit(connection, bundle(given))

    with (
        connect(dsn) as owner,
        pytest.raises(psycopg.errors.RestrictViolation, match="never changed or deleted"),
    ):
        owner.execute(change.format(table))


def test_events__job_changes_them__has_no_right_to(
    connection: psycopg.Connection[Any], lane: Lane
) -> None:
    for statement in ("delete from answers", "update purchases set epoch = 2"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_open_lane__again__takes_a_higher_generation_at_the_same_offset(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    committer.commit(connection, bundle(batch(lane, 0, [Customer().answer(0)])))

    opened = open_lane(connection, "answers-topic", "inference.answers", 0, 0)

    assert (opened.lane.generation, opened.next_offset) == (lane.generation + 1, 1)


def test_open_lane__kafka_deleted_unread_records__is_a_named_stop(
    connection: psycopg.Connection[Any], lane: Lane
) -> None:
    with pytest.raises(Exception, match="Kafka has deleted answers 0 to 6"):
        open_lane(connection, "answers-topic", "inference.answers", 0, 7)


def test_commit__gaps_in_offsets__are_passed(
    connection: psycopg.Connection[Any], committer: Committer, lane: Lane
) -> None:
    first = batch(lane, 5, [Customer().answer(0)])
    committer.commit(connection, bundle(Batch(lane, 0, 6, first.records)))

    assert next_offset(connection) == 6
    assert sorted(outcomes(connection)) == [5]


def test_open_lane__database_without_tables__says_what_to_do(
    fresh_database: Callable[[], str],
) -> None:
    with (
        connect(fresh_database(), autocommit=True) as connection,
        pytest.raises(DistributaryError, match="distributary up"),
    ):
        open_lane(connection, "answers-topic", "inference.answers", 0, 0)
