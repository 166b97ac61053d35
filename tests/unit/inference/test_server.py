"""The order of effects: published, acknowledged, recorded or released, and then finished."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from distributary.answers import read_answer
from distributary.errors import UnavailableError
from distributary.identity import partition_of
from distributary.inference.dispatcher import Limits
from distributary.inference.leases import Found, Lookup
from distributary.inference.metrics import Metrics
from distributary.inference.nodes import Nodes
from distributary.inference.outbox import Outgoing
from distributary.inference.records import Record
from distributary.inference.server import Outcome, Server, Topics
from tests.senders import as_record
from tests.unit.inference.node_double import NodeDouble
from tests.unit.inference.records_at import ACCOUNTS, DECODER, ask, record
from tests.unit.inference.test_dispatcher import ADMISSION

TOPICS = Topics("requests", "answers", "dead", 4)
GOOD = record(*as_record(ask("1")))
EXPIRED = record(*as_record(ask("2", expires_at=1)))
GARBAGE = record(b"garbage", None)


class Doubles:
    """Outbox, leases and accounts of one server; `effects` tells what happened in which order."""

    def __init__(self, lookup: Lookup | None = None) -> None:
        self.effects: list[str] = []
        self.published: list[Outgoing] = []
        self.failures: list[BaseException] = []
        self.accounts = dict(ACCOUNTS)
        self.acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lookup = lookup or Lookup(Found.LEASED)

    def publish(self, records: Sequence[Outgoing]) -> "asyncio.Future[None]":
        """As `Outbox.publish`."""
        self.published += records
        if not records:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        self.effects.append("published")
        return self.acknowledged

    async def look_up(self, requests: Sequence[Any]) -> list[Lookup]:
        """As `Leases.look_up`."""
        return [self._lookup for _ in requests]

    async def record(self, executed: Sequence[Any]) -> None:
        """As `Leases.record`."""
        self.effects += ["recorded"] * len(executed)

    async def release(self, requests: Sequence[Any]) -> None:
        """As `Leases.release`."""
        self.effects += ["released"] * len(requests)

    def refresh(self) -> bool:
        """As `AccountsTable.refresh`."""
        return True

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """What the engine is told."""
        self.effects += ["finished"] * len(outcomes)

    def server(self) -> Server:
        """A server on these doubles and a node that answers."""
        double: Any = self
        return Server(
            topics=TOPICS,
            decoder=DECODER,
            admission=ADMISSION,
            leases=double,
            outbox=double,
            accounts=double,
            metrics=Metrics(),
            finish=self.finish,
            fail=self.failures.append,
            nodes=Nodes([NodeDouble("a")]),
            limits=Limits(8, 512, 1.0),
        )


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0)


async def settle() -> None:
    """Lets everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


def serve(
    served: Record, *, lookup: Lookup | None = None, then: Exception | None = None
) -> tuple[list[str], list[str], Doubles]:
    """Serves a record; returns the effects before and after Kafka's acknowledgement."""

    async def flow() -> tuple[list[str], list[str], Doubles]:
        doubles = Doubles(lookup)
        await doubles.server().serve([served])
        await until(lambda: doubles.effects)
        await settle()
        before = doubles.effects[:]
        if then is None:
            doubles.acknowledged.set_result(None)
        else:
            doubles.acknowledged.set_exception(then)
        await settle()
        return before, doubles.effects[len(before) :], doubles

    return asyncio.run(flow())


def test_serve__executed__is_recorded_and_finished_only_once_kafka_has_acknowledged() -> None:
    before, after, doubles = serve(GOOD)
    assert before == ["published"]
    assert after == ["recorded", "finished"]
    (outgoing,) = doubles.published
    answer = read_answer(outgoing.value)
    assert answer.status == "executed"
    assert outgoing.partition == partition_of(answer.request_hash, 4)
    assert outgoing.key == answer.request_hash.encode()


def test_serve__refused__is_released_and_finished_only_once_kafka_has_acknowledged() -> None:
    before, after, doubles = serve(EXPIRED)
    assert (before, after) == (["published"], ["released", "finished"])
    assert read_answer(doubles.published[0].value).code == "expired"


def test_serve__dead_letter__is_finished_only_once_kafka_has_acknowledged() -> None:
    before, after, doubles = serve(GARBAGE)
    assert (before, after) == (["published"], ["finished"])
    assert (doubles.published[0].topic, doubles.published[0].partition) == ("dead", 0)


def test_serve__kafka_takes_no_answer__nothing_is_recorded_or_finished_and_the_engine_is_told() -> (
    None
):
    before, after, doubles = serve(GOOD, then=UnavailableError("Kafka took no answer."))
    assert (before, after) == (["published"], [])
    assert len(doubles.failures) == 1


def test_serve__executed_before_at_the_same_coordinates__publishes_nothing() -> None:
    before, after, doubles = serve(GOOD, lookup=Lookup(Found.FINISHED, "hash", b""))
    assert (before, after) == (["finished"], [])
    assert doubles.published == []


def test_serve__conflict__leaves_the_others_lease_alone() -> None:
    before, after, _doubles = serve(GOOD, lookup=Lookup(Found.CONFLICT, "a" * 64))
    assert (before, after) == (["published"], ["finished"])


def test_serve__accounts_cannot_be_read__raises_instead_of_calling_anyone_unknown() -> None:
    async def flow() -> None:
        doubles = Doubles()
        doubles.accounts.clear()
        doubles.refresh = lambda: False  # type: ignore[method-assign]
        try:
            await doubles.server().serve([GOOD])
        except UnavailableError:
            doubles.effects.append("raised")
        assert doubles.effects == ["raised"]

    asyncio.run(flow())


def test_serve__accounts_record_arrives_with_the_request__is_read_before_judging() -> None:
    async def flow() -> None:
        doubles = Doubles()
        doubles.accounts.clear()

        def refresh() -> bool:
            doubles.accounts.update(ACCOUNTS)
            return True

        doubles.refresh = refresh  # type: ignore[method-assign]
        await doubles.server().serve([GOOD])
        await until(lambda: doubles.published)
        assert doubles.published[0].topic == "answers"

    asyncio.run(flow())
