"""`kill -9` under load: afterwards every request has its answer (I1), and none a second charge.

What was answered and not yet recorded as executed may run twice; the same request hash then stands
twice in the topic, and the attribution job charges the lower offset alone. The counts are made from
plain Kafka and plain Valkey.
"""

import os
import signal

import psutil

from tests.counting import Books, count_when_answered, end_offsets
from tests.faults.inference.conftest import LOAD, SETTLED_S_MAX, UnderLoad
from tests.inference_job import InferenceJob, running, wait_until


def settled(load: UnderLoad) -> Books:
    """The books once the whole load has been sent and answered."""
    load.sender.settle()
    return count_when_answered(load.kafka, load.prefix, SETTLED_S_MAX)


def assert_all_executed(books: Books, again_max: int) -> None:
    """Invariants I1 and I2, as far as the topics show them."""
    assert sum(books.ends.values()) == LOAD
    assert not books.unanswered
    assert not books.dead
    assert set(books.statuses()) == {"executed"}
    assert len(books.executed) == LOAD
    assert max(books.executed.values()) <= 2
    assert books.executed_again <= again_max
    for seen in books.answers.values():
        # The same coordinates always carry the same purchase, text and charge.
        facts = {(s.value["request_hash"], s.value["text"], s.value["charge_units"]) for s in seen}
        assert len(facts) == 1


def test_job__killed_at_a_random_moment__the_next_one_answers_the_rest(
    under_load: UnderLoad,
) -> None:
    with running(under_load.environ, under_load.log) as job:
        under_load.start_asking()
        under_load.wait_for_a_random_moment()
        job.kill()
    unrecorded = under_load.unrecorded()
    assert under_load.answers() < LOAD

    with running(under_load.environ, under_load.log):
        books = settled(under_load)

    assert_all_executed(books, unrecorded)


def test_prism__killed_under_load__the_job_ends_with_an_error_and_the_next_one_answers_the_rest(
    under_load: UnderLoad,
) -> None:
    with running(under_load.environ, under_load.log) as job:
        under_load.start_asking()
        under_load.wait_for_a_random_moment()
        os.kill(job.prism_pid(), signal.SIGKILL)
        assert job.wait() == 1
    unrecorded = under_load.unrecorded()

    with running(under_load.environ, under_load.log):
        books = settled(under_load)

    assert_all_executed(books, unrecorded)


def test_triton__killed_under_load__the_job_waits_for_it_and_answers_everything(
    under_load: UnderLoad,
) -> None:
    with running(under_load.environ, under_load.log) as job:
        under_load.start_asking()
        under_load.wait_for_a_random_moment()
        under_load.stack.kill("triton")
        under_load.stack.start("triton")
        books = settled(under_load)
        assert psutil.pid_exists(job.pid)
        assert job.drain() == 0

    assert_all_executed(books, 0)


def test_valkey__killed_with_its_data_under_load__answers_go_on_and_nothing_is_repeated(
    under_load: UnderLoad,
) -> None:
    with running(under_load.environ, under_load.log) as job:
        under_load.start_asking()
        under_load.wait_for_a_random_moment()
        under_load.stack.kill("valkey")
        at_kill = under_load.answers()
        wait_until(lambda: under_load.answers() > at_kill, SETTLED_S_MAX, "answers stopped")
        under_load.stack.start("valkey")
        books = settled(under_load)
        assert job.drain() == 0

    assert_all_executed(books, 0)


def test_valkey__lost_its_data__a_repeat_runs_again_under_the_same_request_hash(
    under_load: UnderLoad,
) -> None:
    request = under_load.customer.request("repeated")
    with running(under_load.environ, under_load.log):
        under_load.sender.ask(request)
        count_when_answered(under_load.kafka, under_load.prefix)
        under_load.stack.kill("valkey")
        under_load.stack.start("valkey")
        under_load.sender.ask(request, partition=1)
        books = count_when_answered(under_load.kafka, under_load.prefix)

    assert books.executed == {request.purchase.request_hash: 2}
    records = [s for seen in books.answers.values() for s in seen]
    assert len({record.partition for record in records}) == 1  # the lower offset is the record


def test_kafka__killed_under_load__the_job_goes_on_by_itself_once_it_is_back(
    under_load: UnderLoad,
) -> None:
    with running(under_load.environ, under_load.log) as job:
        under_load.start_asking()
        under_load.wait_for_a_random_moment()
        under_load.stack.kill("kafka")
        under_load.stack.start("kafka")
        books = settled(under_load)
        assert psutil.pid_exists(job.pid)
        assert job.drain() == 0

    assert_all_executed(books, 0)


def test_job__killed_twice_with_valkey_lost_in_between__is_answered_all_the_same(
    under_load: UnderLoad,
) -> None:
    for _ in range(2):
        with running(under_load.environ, under_load.log) as job:
            if not end_offsets(under_load.kafka, f"{under_load.prefix}inference.answers")[0]:
                under_load.start_asking()
            wait_until(under_load.answers, SETTLED_S_MAX, "the load is not served")
            under_load.stack.kill("valkey")
            job.kill()
        under_load.stack.start("valkey")

    with running(under_load.environ, under_load.log):
        books = settled(under_load)

    # Without leases everything beyond the committed marks runs again: work, never a charge.
    assert not books.unanswered
    assert len(books.executed) == LOAD
    assert set(books.statuses()) == {"executed"}


def test_job__cannot_reach_kafka_when_it_starts__ends_with_one_clear_line(
    under_load: UnderLoad,
) -> None:
    environ = under_load.environ | {"DISTRIBUTARY_KAFKA": "127.0.0.1:1"}
    job = InferenceJob(environ, under_load.log)
    assert job.wait() == 4
    (line,) = [line for line in job.lines() if line["level"] == "error" and "code" in line]
    assert line["code"] == "unavailable"
    assert "DISTRIBUTARY_KAFKA" in line["msg"]
