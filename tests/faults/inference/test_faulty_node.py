"""A real Triton whose model is slow or wrong: the request to blame is refused, no other.

The model does what words in the prompts say; see `faulty_models`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributary.kafka import create_topics
from distributary.stack.local import LocalStack
from tests.counting import count_when_answered
from tests.inference_job import environment, running
from tests.senders import Customer, Sender, question
from tests.servers import unique

MODELS = Path(__file__).parent / "faulty_models"
EACH = 12
BLAMED = 5  # of a partition's requests, the one with the word in it
EXECUTED = "executed"
# Word, and what becomes of the request that has it; one partition each, so one batch each.
FAULTS = {
    "[error]": "node_failed",
    "[foreign]": "node_failed",
    "[short]": EXECUTED,
    "[swap]": EXECUTED,
    "[fail]": "node_failed",
    "[slow]": EXECUTED,
}
SENTENCES = {
    "[error]": "asked_to_fail: The prompt says so.",
    "[foreign]": "no result of its own",
    "[fail]": "The prompt says so.",
}


def texts(fault: str) -> list[str]:
    """What the requests of a partition ask about."""
    return [f"{n} {fault}" if n == BLAMED else f"{n}" for n in range(EACH)]


def outcome(answer: dict[str, Any]) -> str:
    """Status, or code where refused."""
    return str(answer.get("code") or answer["status"])


def test_job__triton_is_slow_or_wrong__the_blamed_alone_are_refused(
    own_stack: Callable[..., LocalStack], kafka: str, valkey: str, prism: str, tmp_path: Path
) -> None:
    triton = own_stack("triton", models=MODELS).settings
    prefix, partitions = unique("faulty") + ".", len(FAULTS)
    settings = replace(
        triton,
        kafka=kafka,
        valkey=valkey,
        prism=prism,
        topic_prefix=prefix,
        partitions=partitions,
    )
    create_topics(settings)
    sender, customer = Sender(kafka, prefix), Customer(prefix)
    sender.publish(customer.state())
    # Before the job starts, so that each partition is read at once and served as one batch.
    for partition, fault in enumerate(FAULTS):
        asked = [customer.request(fault + text, question(text)) for text in texts(fault)]
        sender.ask(*asked, partition=partition)
    with running(environment(settings, prefix, tmp_path), tmp_path / "job.log", partitions) as job:
        hanging = customer.request("hang", question("[hang]", deadline_ms=3_000))
        (hung,) = sender.ask(hanging)
        books = count_when_answered(kafka, prefix, 90.0)
        assert job.drain() == 0

    assert not books.dead
    assert outcome(books.answer(hung.partition, hung.offset)) == "deadline_exceeded"
    for partition, (fault, becomes) in enumerate(FAULTS.items()):
        answers = [books.answer(partition, offset) for offset in range(EACH)]
        expected = [becomes if n == BLAMED else EXECUTED for n in range(EACH)]
        assert [outcome(answer) for answer in answers] == expected, fault
        assert SENTENCES.get(fault, "") in answers[BLAMED].get("sentence", "")
        for text, answer in zip(texts(fault), answers, strict=True):
            assert answer["status"] != EXECUTED or f"What is {text}?" in answer["text"], fault
    # Answered in the batch that was turned round, not one by one.
    sizes = [
        int(books.answer(list(FAULTS).index("[swap]"), offset)["text"].partition(":")[0])
        for offset in range(EACH)
    ]
    assert max(sizes) > 1
