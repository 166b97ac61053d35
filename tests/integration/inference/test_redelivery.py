"""One request hash is one purchase, however often and wherever its bytes stand in the topic."""

import pytest

from tests.counting import committed_offsets, count, end_offsets, read_topic
from tests.inference_job import running, wait_until
from tests.integration.inference.conftest import PARTITIONS, Installation, install
from tests.node_server import slow
from tests.senders import CREDIT_UNITS, Customer, question

GROUP = "distributary-inference"


def test_job__same_bytes_again__are_replayed_with_the_same_text_and_charge(
    serving: Installation,
) -> None:
    request = serving.customer.request("twice")
    (first,) = serving.sender.ask(request)
    serving.books()
    (again,) = serving.sender.ask(request, partition=1)

    books = serving.books()

    original, repeat = books.answer(0, first.offset), books.answer(1, again.offset)
    assert (original["status"], repeat["status"]) == ("executed", "replayed")
    same = original.keys() - {"status", "partition", "offset", "admitted_at_ms"}
    assert {name: original[name] for name in same} == {name: repeat[name] for name in same}
    assert books.executed[request.purchase.request_hash] == 1
    partitions = {
        s.partition for w in ((0, first.offset), (1, again.offset)) for s in books.answers[w]
    }
    assert partitions == {int(request.purchase.request_hash, 16) % PARTITIONS}


def test_job__same_bytes_at_once_in_both_partitions__run_once(serving: Installation) -> None:
    for node in serving.nodes:
        node.behaviour = slow(0.5)
    request = serving.customer.request("twins")
    (first,) = serving.sender.ask(request, partition=0)
    (second,) = serving.sender.ask(request, partition=1)

    books = serving.books()

    statuses = {books.answer(0, first.offset)["status"], books.answer(1, second.offset)["status"]}
    assert statuses == {"executed", "replayed"}
    assert books.executed[request.purchase.request_hash] == 1


def test_job__twin_runs_for_long__the_other_is_refused_in_progress_with_when_to_ask_again(
    serving: Installation,
) -> None:
    for node in serving.nodes:
        node.behaviour = slow(4.0)
    request = serving.customer.request("slow twins")
    (first,) = serving.sender.ask(request, partition=0)
    (second,) = serving.sender.ask(request, partition=1)

    books = serving.books()

    answers = [books.answer(0, first.offset), books.answer(1, second.offset)]
    assert {answer["status"] for answer in answers} == {"executed", "refused"}
    (refused,) = [answer for answer in answers if answer["status"] == "refused"]
    assert refused["code"] == "in_progress"
    assert refused["retry_after_ms"] > 0


def test_job__same_identity_for_another_body__is_a_conflict_that_names_both_hashes(
    serving: Installation,
) -> None:
    request = serving.customer.request("name")
    other = serving.customer.request("name", question("something else"))
    (first,) = serving.sender.ask(request)
    serving.books()
    (second,) = serving.sender.ask(other)

    books = serving.books()

    assert books.answer(0, first.offset)["status"] == "executed"
    conflict = books.answer(0, second.offset)
    assert conflict["code"] == "conflict"
    assert request.purchase.request_hash in conflict["sentence"]
    assert other.purchase.request_hash in conflict["sentence"]
    assert conflict["request_hash"] == other.purchase.request_hash


def test_job__refused_then_sent_again__is_executed(serving: Installation) -> None:
    poor = Customer(f"{serving.prefix} poor")
    serving.sender.publish(poor.state(credit_units=0))
    request = poor.request("1")
    (first,) = serving.sender.ask(request)
    assert serving.books().answer(0, first.offset)["code"] == "insufficient_credit"
    serving.sender.publish(poor.state(version=2, credit_units=CREDIT_UNITS))

    def executed() -> bool:
        (place,) = serving.sender.ask(request)
        return bool(serving.books().answer(0, place.offset)["status"] == "executed")

    wait_until(executed, 20, "the new credit was not noticed")


def test_job__started_again_from_the_first_offset__publishes_nothing_twice(
    serving: Installation,
) -> None:
    own = install(serving.settings, serving.log.parent)
    nodes = serving.environ["DISTRIBUTARY_TRITON"]
    environ = own.environ | {"DISTRIBUTARY_TRITON": nodes}
    requests = [own.customer.request(str(number)) for number in range(20)]
    own.sender.ask(*requests)
    with running(environ, own.log, PARTITIONS) as first:
        before = own.books()
        assert first.drain() == 0
    calls = sum(len(node.calls) for node in serving.nodes)
    _forget_positions(own)  # so that every record is read again, at its old coordinates

    with running(environ, own.log, PARTITIONS) as second:
        wait_until(lambda: _has_caught_up(own), 60, "nothing was read again")
        assert second.drain() == 0

    after = count(own.settings.kafka, own.prefix)
    assert after.answers == before.answers
    assert sum(len(node.calls) for node in serving.nodes) == calls


def _forget_positions(installation: Installation) -> None:
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": installation.settings.kafka})
    group = f"{installation.prefix}{GROUP}"
    client.delete_consumer_groups([group])[group].result(30)


def _has_caught_up(installation: Installation) -> bool:
    topic = f"{installation.prefix}inference.requests"
    group = f"{installation.prefix}{GROUP}"
    kafka = installation.settings.kafka
    ends = {p: end for p, end in end_offsets(kafka, topic).items() if end}
    return committed_offsets(kafka, topic, group).items() >= ends.items()


def test_job__sigterm_under_load__finishes_what_it_read_and_commits_it_and_nothing_runs_twice(
    serving: Installation,
) -> None:
    own = install(serving.settings, serving.log.parent)
    environ = own.environ | {"DISTRIBUTARY_TRITON": serving.environ["DISTRIBUTARY_TRITON"]}
    for node in serving.nodes:
        node.behaviour = slow(0.3)
    requests = [own.customer.request(str(number)) for number in range(600)]
    with running(environ, own.log, PARTITIONS) as first:
        own.sender.start_asking(requests, PARTITIONS)
        own.sender.settle()
        answers = f"{own.prefix}inference.answers"
        wait_until(lambda: sum(end_offsets(own.settings.kafka, answers).values()), 30, "no answer")
        assert first.drain() == 0
    drained = count(own.settings.kafka, own.prefix)
    committed = committed_offsets(
        own.settings.kafka, f"{own.prefix}inference.requests", f"{own.prefix}{GROUP}"
    )
    below = {w for w in drained.answers if w[1] < committed[w[0]]}
    assert below == set(drained.answers)  # nothing answered lies beyond the committed positions
    assert len(below) == sum(offset for offset in committed.values() if offset > 0)

    with running(environ, own.log, PARTITIONS) as second:
        books = own.books()
        assert second.drain() == 0

    assert books.statuses() == {"executed": 600}
    assert books.executed_again == 0
    assert len(books.executed) == 600


@pytest.mark.parametrize(
    "options", [["--runner=DirectRunner"], ["--runner=BundleBasedDirectRunner"]]
)
def test_job__runner_that_never_delivers__is_refused_with_what_to_use(
    serving: Installation, options: list[str]
) -> None:
    from tests.inference_job import InferenceJob

    job = InferenceJob(serving.environ, serving.log.with_name("refused.log"), *options)
    assert job.wait() == 3
    (line,) = [line for line in job.lines() if line["level"] == "error"]
    assert line["code"] == "runner_refused"
    assert "PrismRunner" in line["msg"]


def test_job__valkey_does_not_answer__answers_go_on(serving: Installation) -> None:
    own = install(serving.settings, serving.log.parent)
    environ = own.environ | {
        "DISTRIBUTARY_TRITON": serving.environ["DISTRIBUTARY_TRITON"],
        "DISTRIBUTARY_VALKEY": "redis://127.0.0.1:1/0",
    }
    own.sender.ask(*(own.customer.request(str(number)) for number in range(40)))
    with running(environ, own.log, PARTITIONS) as job:
        books = own.books()
        assert job.drain() == 0
    assert books.statuses() == {"executed": 40}


def test_answers__read_by_topic__stand_where_their_request_hash_says(serving: Installation) -> None:
    serving.sender.ask(*(serving.customer.request(f"spread-{n}") for n in range(20)))
    serving.books()
    seen = read_topic(serving.settings.kafka, f"{serving.prefix}inference.answers")
    assert all(int(s.value["request_hash"], 16) % PARTITIONS == s.partition for s in seen)
    assert {s.partition for s in seen} == set(range(PARTITIONS))
