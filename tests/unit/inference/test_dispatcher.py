"""Each request leaves the dispatcher with exactly one generation, whatever a node does."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from distributary.answers import Refusal
from distributary.datanets.retrieval import Retriever
from distributary.inference.admission import Admission
from distributary.inference.dispatcher import ATTEMPTS_MAX, Dispatcher, Limits
from distributary.inference.nodes import (
    Completion,
    NodeBusyError,
    NodeRefusedError,
    Nodes,
    Prompt,
)
from distributary.inference.records import Admitted, Generation
from distributary.rules import load_catalogue
from distributary.settings import Settings
from distributary.tokens import ByteCounter
from tests.unit.inference.node_double import NodeDouble, answer, answer_all
from tests.unit.inference.records_at import PAYER, ask, verified

COUNTERS: Any = {"bytes": ByteCounter(), "smollm2": ByteCounter()}
ADMISSION = Admission(
    Settings(),
    load_catalogue("prices"),
    load_catalogue("splits"),
    Retriever(Path("no-lake")),
    COUNTERS,
)
LIMITS = Limits(batches_in_flight_max=8, requests_in_flight_max=512, retry_s_max=0.05)
SOON_S = 0.1
POISON = 13


def admitted(count: int, due_in_s: float = 30.0) -> list[Admitted]:
    now = asyncio.get_running_loop().time()
    found = [
        ADMISSION.admit(verified(ask(str(offset)), offset), PAYER.state(), now, 0.0)
        for offset in range(count)
    ]
    return [replace(each, due_at=now + due_in_s) for each in found if isinstance(each, Admitted)]


@dataclass
class Finished:
    """What the dispatcher finished, by offset, published at once; and what went wrong in it."""

    generations: dict[int, list[Generation]] = field(default_factory=dict)
    surfaced: list[BaseException] = field(default_factory=list)

    def dispatcher(self, *nodes: NodeDouble, limits: Limits = LIMITS) -> Dispatcher:
        """A dispatcher that finishes into this."""
        self._made = Dispatcher(Nodes(nodes), limits, self.take, self.surfaced.append)
        return self._made

    def take(self, results: list[tuple[Admitted, Generation]]) -> None:
        asyncio.get_running_loop().call_soon(self._made.published, [r for r, _ in results])
        for request, generation in results:
            offset = request.verified.record.coordinates.offset
            self.generations.setdefault(offset, []).append(generation)

    @property
    def errors(self) -> dict[int, str]:
        """The errors of those without a text."""
        return {o: g.error for o, (g,) in self.generations.items() if g.text is None or g.error}


def serve(
    count: int, *nodes: NodeDouble, limits: Limits = LIMITS, due_in_s: float = 30.0
) -> Finished:
    """Serves `count` requests; fails unless each is finished exactly once with its own text."""

    async def flow() -> Finished:
        finished = Finished()
        dispatcher = finished.dispatcher(*nodes, limits=limits)
        dispatcher.put(admitted(count, due_in_s))
        async with asyncio.timeout(20):
            while len(finished.generations) < count:
                await asyncio.sleep(0.001)
        for hanging in dispatcher._tasks:
            hanging.cancel()
        await asyncio.sleep(0)
        return finished

    finished = asyncio.run(flow())
    assert sorted(finished.generations) == list(range(count))
    for offset, generations in finished.generations.items():
        (generation,) = generations
        assert generation.error or generation.text == f"text of topic/0/{offset}"
    return finished


def broken(prompts: list[Prompt]) -> list[Completion]:
    raise NodeBusyError("away")


def poisoned(prompts: list[Prompt]) -> list[Completion]:
    if any(prompt.id.endswith(f"/{POISON}") for prompt in prompts):
        raise NodeRefusedError("invalid argument")
    return answer_all(prompts)


def test_put__a_node_that_answers__every_request_has_its_text() -> None:
    node = NodeDouble("a")
    assert serve(200, node).errors == {}
    assert all(len(call) <= 64 for call in node.calls)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(lambda p: answer_all(p)[:-3], id="short batch"),
        pytest.param(lambda p: answer_all(p)[::-1], id="reversed"),
        pytest.param(lambda p: random.Random(7).sample(answer_all(p), len(p)), id="shuffled"),
        pytest.param(lambda p: [answer(p[0]), *answer_all(p)], id="duplicate id"),
        pytest.param(lambda p: [*answer_all(p), Completion("other", "x", "")], id="unknown id"),
        pytest.param(lambda p: [], id="nothing"),
        pytest.param(lambda p: [answer(p[0])] * len(p), id="all of one"),
    ],
)
def test_put__a_batch_comes_back_mixed_up__every_request_has_its_own_text(
    behaviour: Callable[[list[Prompt]], list[Completion]],
) -> None:
    assert serve(20, NodeDouble("a", behaviour, answer_all)).errors == {}


def test_put__never_a_result_of_its_own__is_given_up_after_its_attempts_alone() -> None:
    def without_poison(prompts: list[Prompt]) -> list[Completion]:
        return [answer(p) for p in prompts if not p.id.endswith(f"/{POISON}")]

    node = NodeDouble("a", without_poison)
    errors = serve(20, node).errors
    assert list(errors) == [POISON]
    assert len([c for c in node.calls if f"topic/0/{POISON}" in c]) == ATTEMPTS_MAX


def test_put__one_request_makes_the_node_refuse_the_batch__it_alone_fails() -> None:
    node = NodeDouble("a", poisoned)
    errors = serve(64, node).errors
    assert list(errors) == [POISON]
    assert "invalid argument" in errors[POISON]
    assert len(node.calls) == 13  # 1 + 2 for each halving of 64


def test_put__error_for_one_item__it_alone_fails() -> None:
    def one_bad(prompts: list[Prompt]) -> list[Completion]:
        done = answer_all(prompts)
        return [c._replace(error="bad") if c.id.endswith(f"/{POISON}") else c for c in done]

    assert serve(20, NodeDouble("a", one_bad)).errors == {POISON: "bad"}


def test_put__node_is_away_for_a_moment__is_tried_again() -> None:
    patient = replace(LIMITS, retry_s_max=20.0)
    node = NodeDouble("a", broken, broken, answer_all)
    assert serve(20, node, limits=patient).errors == {}
    assert len(node.calls) == 3


def test_put__node_stays_away__is_given_up_with_the_reason() -> None:
    errors = serve(3, NodeDouble("a", broken)).errors
    assert len(errors) == 3
    assert all("away" in error for error in errors.values())


def test_put__one_of_two_nodes_is_away__the_other_answers_everything() -> None:
    dead, alive = NodeDouble("a", broken), NodeDouble("b")
    assert serve(300, dead, alive, limits=replace(LIMITS, retry_s_max=20.0)).errors == {}
    assert sum(len(call) for call in alive.calls) == 300


@pytest.mark.parametrize("due_in_s", [SOON_S, -1.0])
def test_put__node_hangs__every_request_ends_at_its_deadline(due_in_s: float) -> None:
    errors = serve(20, NodeDouble("a", hangs=True), due_in_s=due_in_s).errors
    assert set(errors.values()) == {Refusal.DEADLINE_EXCEEDED.value}


def test_put__waiting_behind_a_hanging_batch__ends_at_its_deadline_too() -> None:
    limits = Limits(batches_in_flight_max=1, requests_in_flight_max=64, retry_s_max=0.05)
    node = NodeDouble("a", hangs=True)
    assert len(serve(200, node, limits=limits, due_in_s=SOON_S).errors) == 200
    assert len(node.calls) == 1


def test_put__fewer_may_be_in_flight_than_a_batch_holds__is_served_all_the_same() -> None:
    limits = Limits(batches_in_flight_max=8, requests_in_flight_max=5, retry_s_max=0.05)
    node = NodeDouble("a")
    assert serve(23, node, limits=limits).errors == {}
    assert max(len(call) for call in node.calls) <= 5


def test_put__a_result_after_the_deadline__does_not_finish_twice() -> None:
    async def flow() -> Finished:
        finished, late, returned = Finished(), asyncio.Event(), asyncio.Event()

        class Late(NodeDouble):
            async def generate(
                self, triton_model: str, prompts: Any, timeout_s: float
            ) -> tuple[str, list[Completion]]:
                await late.wait()
                returned.set()
                return "1", answer_all(list(prompts))

        finished.dispatcher(Late("a")).put(admitted(5, SOON_S))
        async with asyncio.timeout(20):
            while len(finished.generations) < 5:
                await asyncio.sleep(0.001)
            late.set()
            await returned.wait()
            await asyncio.sleep(SOON_S)  # long enough for a second finish, which must not come
        return finished

    generations = asyncio.run(flow()).generations
    assert all(len(each) == 1 for each in generations.values())


def test_put__answers_not_published_yet__nothing_more_is_sent() -> None:
    async def flow() -> None:
        limits = Limits(batches_in_flight_max=8, requests_in_flight_max=64, retry_s_max=0.05)
        held: list[tuple[Admitted, Generation]] = []
        surfaced: list[BaseException] = []
        dispatcher = Dispatcher(
            Nodes([node := NodeDouble("a")]), limits, held.extend, surfaced.append
        )
        dispatcher.put(admitted(100))
        async with asyncio.timeout(20):
            while len(held) < 64:
                await asyncio.sleep(0.001)
            assert len(node.calls) == 1
            assert (dispatcher.in_flight, dispatcher.waiting) == (64, 36)
            dispatcher.published([request for request, _ in held])
            while len(held) < 100:
                await asyncio.sleep(0.001)

    asyncio.run(flow())


def test_room__more_waits_than_may_be_in_flight__closes_and_opens_again() -> None:
    async def flow() -> None:
        limits = Limits(batches_in_flight_max=1, requests_in_flight_max=64, retry_s_max=0.05)
        finished = Finished()
        dispatcher = finished.dispatcher(NodeDouble("a"), limits=limits)
        dispatcher.put(admitted(200))
        assert not dispatcher.room.is_set()
        assert dispatcher.waiting + dispatcher.in_flight == 200
        async with asyncio.timeout(20):
            await dispatcher.room.wait()
            while len(finished.generations) < 200:
                await asyncio.sleep(0.001)

    asyncio.run(flow())


def test_pick__among_healthy_nodes__is_the_least_loaded_by_name() -> None:
    now = [0.0]
    a, b = NodeDouble("a"), NodeDouble("b")
    nodes = Nodes([b, a], clock=lambda: now[0])
    assert nodes.pick() is a
    nodes.started(a, 10)
    assert nodes.pick() is b
    nodes.started(b, 10)
    nodes.ended(a, 10, healthy=False)
    assert nodes.pick() is b
    nodes.ended(b, 10, healthy=False)
    assert nodes.pick() is a  # all have failed: one of them, rather than none
    now[0] = 2.0
    assert nodes.pick() is a


def test_put__defect_in_a_call__surfaces_instead_of_waiting_for_the_deadline() -> None:
    def broken(prompts: list[Prompt]) -> list[Completion]:
        raise ZeroDivisionError

    async def flow() -> list[BaseException]:
        finished = Finished()
        finished.dispatcher(NodeDouble("a", broken)).put(admitted(1))
        async with asyncio.timeout(20):
            while not finished.surfaced:
                await asyncio.sleep(0.001)
        return finished.surfaced

    assert [type(error) for error in asyncio.run(flow())] == [ZeroDivisionError]


def test_ended__node_fails_again_and_again__is_left_alone_longer_each_time() -> None:
    now = [0.0]
    a, b = NodeDouble("a"), NodeDouble("b")
    nodes = Nodes([a, b], clock=lambda: now[0])

    def alone_s() -> float:
        """For how long the node is left alone after a failure now, with another in flight."""
        nodes.ended(a, 0, healthy=False)
        failed_at = now[0]
        nodes.ended(a, 0, healthy=False)  # of what it had as well; it tells nothing new
        while nodes.pick() is b:
            now[0] += 0.5
        return now[0] - failed_at

    assert [alone_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    nodes.ended(a, 0, healthy=True)
    assert alone_s() == 1
