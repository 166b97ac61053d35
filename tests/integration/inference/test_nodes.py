"""Nodes that are slow, wrong or gone: each request has its own text, or a refusal of its own."""

from collections.abc import Callable

import grpc
import pytest

from tests.inference_job import wait_until
from tests.integration.inference.conftest import Installation
from tests.node_server import (
    AbortError,
    Behaviour,
    Item,
    NodeServer,
    answer_all,
    fail,
    slow,
    text_for,
    times,
)
from tests.senders import Place, question
from tests.servers import unique

POISON = "poison"


def both(installation: Installation, behaviour: Behaviour) -> None:
    for node in installation.nodes:
        node.behaviour = behaviour


def ask(installation: Installation, count: int, **body: object) -> list[Place]:
    """Sends a batch of requests, the third of which holds the poison."""
    run = unique("run")
    texts = [POISON if number == 2 else "water" for number in range(count)]
    return installation.sender.ask(
        *(
            installation.customer.request(f"{run}-{number}", question(text, **body))
            for number, text in enumerate(texts)
        )
    )


def executed(installation: Installation, places: list[Place]) -> list[bool]:
    """Whether each was executed, with the text that the node made for it."""
    books = installation.books()
    answers = [books.answer(place.partition, place.offset) for place in places]
    return [
        answer["status"] == "executed"
        and answer["text"]
        == text_for(f"{answer['topic_id']}/{answer['partition']}/{answer['offset']}")
        for answer in answers
    ]


def codes(installation: Installation, places: list[Place]) -> list[str]:
    """The refusals' codes."""
    books = installation.books()
    return [books.answer(p.partition, p.offset).get("code", "executed") for p in places]


def is_poisoned(item: Item) -> bool:
    return POISON in item.text


def refuses_poison(items: list[Item]) -> list[Item]:
    if any(map(is_poisoned, items)):
        raise AbortError(grpc.StatusCode.INVALID_ARGUMENT, "bad item")
    return answer_all(items)


def error_for_poison(items: list[Item]) -> list[Item]:
    return [
        Item(item.id, "", "cannot") if is_poisoned(item) else result
        for item, result in zip(items, answer_all(items), strict=True)
    ]


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(lambda items: answer_all(items)[:-2], id="short batch"),
        pytest.param(lambda items: answer_all(items)[::-1], id="wrong order"),
        pytest.param(lambda items: [*answer_all(items), answer_all(items)[0]], id="an id twice"),
        pytest.param(lambda items: [*answer_all(items), Item("x/0/0", "?")], id="an unknown id"),
        pytest.param(lambda items: [], id="nothing"),
        pytest.param(times(3, fail(grpc.StatusCode.UNAVAILABLE)), id="unavailable three times"),
        pytest.param(times(3, fail(grpc.StatusCode.RESOURCE_EXHAUSTED)), id="full three times"),
    ],
)
def test_job__node_mixes_up_or_is_away_for_a_moment__every_request_has_its_own_text(
    serving: Installation, behaviour: Behaviour
) -> None:
    # The first calls misbehave; what is asked again, alone, is answered.
    both(serving, times(2, behaviour, answer_all))
    assert all(executed(serving, ask(serving, 20)))


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [(refuses_poison, "bad item"), (error_for_poison, "cannot")],
    ids=["refuses the batch", "error for one item"],
)
def test_job__one_request_fails_at_the_node__it_alone_is_refused(
    serving: Installation, behaviour: Behaviour, sentence: str
) -> None:
    both(serving, behaviour)
    places = ask(serving, 20)
    assert executed(serving, places) == [number != 2 for number in range(20)]
    refused = serving.books().answer(places[2].partition, places[2].offset)
    assert refused["code"] == "node_failed"
    assert sentence in refused["sentence"]
    both(serving, answer_all)


def test_job__no_node_for_longer_than_it_is_tried__is_refused_and_works_when_sent_again(
    serving: Installation,
) -> None:
    both(serving, fail(grpc.StatusCode.UNAVAILABLE))
    request = serving.customer.request(unique("again"))
    (first,) = serving.sender.ask(request)
    assert codes(serving, [first]) == ["node_failed"]
    assert serving.books().answer(0, first.offset)["retry_after_ms"] > 0

    both(serving, answer_all)
    (second,) = serving.sender.ask(request)
    assert executed(serving, [second]) == [True]


@pytest.mark.parametrize("behaviour", [slow(6.0)], ids=["hangs"])
def test_job__node_hangs__requests_end_at_their_deadline_and_the_next_ones_are_served(
    serving: Installation, behaviour: Behaviour
) -> None:
    both(serving, behaviour)
    places = ask(serving, 10, deadline_ms=700)
    assert set(codes(serving, places)) == {"deadline_exceeded"}
    both(serving, answer_all)
    assert all(executed(serving, ask(serving, 10)))


def too_long(items: list[Item]) -> list[Item]:
    return [
        Item(item.id, "x" * 2_000_000) if is_poisoned(item) else result
        for item, result in zip(items, answer_all(items), strict=True)
    ]


def test_job__node_returns_a_text_larger_than_the_topic_takes__it_alone_is_refused(
    serving: Installation,
) -> None:
    both(serving, too_long)
    places = ask(serving, 5)
    assert codes(serving, places) == ["executed", "executed", "node_failed", "executed", "executed"]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda data: data + b"\xff\xff\xff", lambda data: b""],
    ids=["cut", "appended", "empty"],
)
def test_job__node_returns_damaged_tensors__each_request_is_refused_or_has_its_own_text(
    serving: Installation, damage: Callable[[bytes], bytes]
) -> None:
    for node in serving.nodes:
        node.damage = damage
    places = ask(serving, 5)
    assert set(codes(serving, places)) <= {"executed", "node_failed"}
    for node in serving.nodes:
        node.damage = bytes
    assert all(executed(serving, ask(serving, 5)))


def test_job__one_of_two_nodes_dies__the_other_answers_and_it_is_used_again_once_back(
    serving: Installation,
) -> None:
    dying, living = serving.nodes
    port, calls = dying.port, len(living.calls)
    both(serving, slow(0.2))
    places = ask(serving, 150)
    wait_until(lambda: dying.calls and living.calls, 20, "no node was asked")
    dying.stop()
    places += ask(serving, 50)

    assert all(executed(serving, places))
    assert len(living.calls) > calls

    back = NodeServer(port=port)
    try:
        living.behaviour = answer_all

        def used_again() -> bool:
            assert all(executed(serving, ask(serving, 10)))
            return bool(back.calls)

        wait_until(used_again, 30, "the node that came back is not used")
    finally:
        back.stop()
