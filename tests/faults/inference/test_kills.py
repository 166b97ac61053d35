"""`kill -9` under load: afterwards every request has its answer (I1), and none a second charge.

What was answered and not yet recorded as executed may run twice; the same request hash then stands
twice in the topic, and the attribution job charges the lower offset alone. The counts are made from
plain Kafka and plain Valkey.
"""

import os
import signal

import pytest

from tests.counting import count_when_answered
from tests.faults.inference.conftest import LOAD, SETTLED_S_MAX, UnderLoad
from tests.inference_job import InferenceJob, running, wait_until


def assert_all_executed(load: UnderLoad, again_max: int) -> None:
    """Invariants I1 and I2, as far as the topics show them, once all of the load is answered."""
    load.sender.settle()
    books = count_when_answered(load.kafka, load.prefix, SETTLED_S_MAX)
    assert sum(books.ends.values()) == len(load.asked)
    assert not books.unanswered
    assert not books.dead
    assert set(books.statuses()) == {"executed"}
    assert set(books.executed) == {r.purchase.request_hash for r in load.asked}
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
        assert_all_executed(under_load, unrecorded)


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
        assert_all_executed(under_load, unrecorded)


@pytest.mark.parametrize("name", ["triton", "kafka"])
def test_server__killed_under_load__the_job_waits_for_it_and_answers_everything(
    serving: UnderLoad, name: str
) -> None:
    serving.start_asking()
    serving.wait_for_a_random_moment()
    serving.stack.kill(name)
    serving.stack.start(name)

    assert_all_executed(serving, 0)


def test_valkey__killed_with_its_data_under_load__answers_go_on_and_nothing_is_repeated(
    serving: UnderLoad,
) -> None:
    serving.start_asking()
    serving.wait_for_a_random_moment()
    serving.stack.kill("valkey")
    at_kill = serving.answers()
    wait_until(lambda: serving.answers() > at_kill, SETTLED_S_MAX, "answers stopped")
    serving.stack.start("valkey")

    assert_all_executed(serving, 0)


def test_valkey__lost_its_data__a_repeat_runs_again_under_the_same_request_hash(
    serving: UnderLoad,
) -> None:
    request = serving.customer.request("repeated")
    serving.sender.ask(request)
    before = count_when_answered(serving.kafka, serving.prefix)
    serving.stack.kill("valkey")
    serving.stack.start("valkey")
    serving.sender.ask(request, partition=1)
    books = count_when_answered(serving.kafka, serving.prefix)

    assert books.executed - before.executed == {request.purchase.request_hash: 1}
    assert books.executed[request.purchase.request_hash] == 2
    records = [
        seen
        for answers in books.answers.values()
        for seen in answers
        if seen.value["request_hash"] == request.purchase.request_hash
    ]
    assert len({record.partition for record in records}) == 1  # the lower offset is the record


def test_job__cannot_reach_kafka_when_it_starts__ends_with_one_clear_line(
    under_load: UnderLoad,
) -> None:
    environ = under_load.environ | {"DISTRIBUTARY_KAFKA": "127.0.0.1:1"}
    job = InferenceJob(environ, under_load.log)
    assert job.wait() == 4
    (line,) = [line for line in job.lines() if line["level"] == "error" and "code" in line]
    assert line["code"] == "unavailable"
    assert "DISTRIBUTARY_KAFKA" in line["msg"]
