"""Serving a batch of records from bytes to acknowledged answers; one instance per process."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from distributary.accounts import AccountState
from distributary.answers import Answer, Refusal, Status, read_answer
from distributary.errors import InputError, UnavailableError
from distributary.events import ANSWER_TYPE, DEAD_TYPE, Event, write_headers
from distributary.identity import partition_of
from distributary.inference.accounts_table import AccountsTable
from distributary.inference.admission import Admission
from distributary.inference.decode import Decoder, dead_letter
from distributary.inference.dispatcher import Dispatcher, Limits
from distributary.inference.leases import Found, Leases, Lookup
from distributary.inference.metrics import Metrics
from distributary.inference.nodes import Nodes
from distributary.inference.outbox import Outbox, Outgoing
from distributary.inference.records import Admitted, Dead, Generation, Record, Verified

log = logging.getLogger(__name__)

SOURCE = "/distributary/inference"
# How long a request waits for its twin under other coordinates before it is told to come again.
TWIN_S_MAX = 2.0
TWIN_POLL_S = 0.1
RETRY_AFTER_MS = 1_000


@dataclass(frozen=True)
class Topics:
    """The topics' names, and how many partitions the answers have."""

    requests: str
    answers: str
    dead: str
    answer_partitions: int


class Outcome(NamedTuple):
    """What became of a record: a dead letter, an answer, or nothing to publish.

    Attributes:
        record: the record.
        name: for counting: an answer's status, `dead`, or `finished` before.
        outgoing: what to publish.
        verified: the request whose lease is to be turned into the answer, or released.
        payload: the executed answer to keep.
    """

    record: Record
    name: str
    outgoing: Outgoing | None = None
    verified: Verified | None = None
    payload: bytes | None = None


@dataclass
class Server:
    """The flow: decode, look up and lease, admit, (dispatch), publish, record, finish.

    Attributes:
        finish: called with what is acknowledged and recorded, so finished.
        fail: called when something of ours, not of a request, went wrong.
    """

    topics: Topics
    decoder: Decoder
    admission: Admission
    leases: Leases
    outbox: Outbox
    accounts: AccountsTable
    metrics: Metrics
    finish: Callable[[Sequence[Outcome]], None]
    fail: Callable[[BaseException], None]
    nodes: Nodes
    limits: Limits

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(self.nodes, self.limits, self.complete, self.fail)
        self._tasks: set[asyncio.Task[None]] = set()

    def complete(self, results: Sequence[tuple[Admitted, Generation]]) -> None:
        """Takes what the dispatcher finished."""
        self._spawn(self._publish(results))

    async def _publish(self, results: Sequence[tuple[Admitted, Generation]]) -> None:
        await self._conclude([self._answered(*result) for result in results])
        self.dispatcher.published([admitted for admitted, _ in results])

    def _spawn(self, work: "asyncio.Future[None] | object") -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def serve(self, records: Sequence[Record]) -> None:
        """Takes records as far as the dispatcher; what needs no node is concluded beside.

        A lane waits for this before it reads on, so that at most one batch of each lane is here.
        """
        self.metrics.consumed.inc(len(records))
        verified, outcomes = await self._decode(records)
        lookups = await self.leases.look_up(verified)
        ours: list[Verified] = []
        for request, lookup in zip(verified, lookups, strict=True):
            if lookup.found is Found.LEASED:
                ours.append(request)
            elif lookup.found is Found.IN_PROGRESS:
                self._spawn(self._await_twin(request))
            else:
                outcomes.append(self._known(request, lookup))
        outcomes += self._admit(ours)
        if outcomes:  # a task for nothing is not free
            self._spawn(self._conclude(outcomes))

    async def _decode(self, records: Sequence[Record]) -> tuple[list[Verified], list[Outcome]]:
        known = self.accounts.accounts
        decoded = [self.decoder.decode(record, known) for record in records]
        if any(isinstance(d, Dead) and d.code in _MAY_BE_NEWS for d in decoded):
            if not await asyncio.to_thread(self.accounts.refresh):
                raise UnavailableError("accounts.state cannot be read: who asks is not known.")
            decoded = [
                self.decoder.decode(d.record, known)
                if isinstance(d, Dead) and d.code in _MAY_BE_NEWS
                else d
                for d in decoded
            ]
        verified = [d for d in decoded if isinstance(d, Verified)]
        return verified, [self._dead(d) for d in decoded if isinstance(d, Dead)]

    def _admit(self, requests: Sequence[Verified]) -> list[Outcome]:
        """Hands what is admitted to the dispatcher; returns the refusals."""
        now, wall_ms = asyncio.get_running_loop().time(), time.time() * 1000
        admitted, refused = [], []
        for request in requests:
            age_s = max(0.0, (wall_ms - request.record.admitted_at_ms) / 1000)
            result = self.admission.admit(request, self._account(request), now, age_s)
            if isinstance(result, Admitted):
                admitted.append(result)
            else:
                refused.append(self._answer(request, result))
        self.dispatcher.put(admitted)
        return refused

    def _account(self, request: Verified) -> AccountState:
        return self.accounts.accounts[request.request.purchase.identity.account]

    async def _await_twin(self, request: Verified) -> None:
        """Waits for the same request under other coordinates, then replays, runs or refuses."""
        loop = asyncio.get_running_loop()
        until = loop.time() + TWIN_S_MAX
        while loop.time() < until:
            await asyncio.sleep(TWIN_POLL_S)
            (lookup,) = await self.leases.look_up([request])
            if lookup.found is Found.LEASED:
                await self._conclude(self._admit([request]))
                return
            if lookup.found is not Found.IN_PROGRESS:
                await self._conclude([self._known(request, lookup)])
                return
        sentence = "The same request is being answered; ask again."
        refused = request.refuse(Refusal.IN_PROGRESS, sentence, RETRY_AFTER_MS)
        await self._conclude([self._answer(request, refused, leased=False)])

    def _known(self, request: Verified, lookup: Lookup) -> Outcome:
        """The outcome of a request whose identity was executed, or stands for another hash."""
        if lookup.found is Found.FINISHED:
            return Outcome(request.record, "finished")
        if lookup.found is Found.CONFLICT:
            mine = request.request.purchase.request_hash
            refused = request.refuse(
                Refusal.CONFLICT,
                f"The identity stands for request {lookup.request_hash}; this one is {mine}.",
            )
            return self._answer(request, refused, leased=False)
        return self._answer(request, replay(request, lookup.answer), leased=False)

    def _answered(self, admitted: Admitted, generation: Generation) -> Outcome:
        if generation.error or generation.text is None:
            return self._answer(admitted.verified, _failed(admitted, generation.error))
        counter = self.admission.counters[admitted.spec.tokenizer]
        # A node may return more than it was asked for; nobody pays for that.
        answer_tokens = min(counter.count(generation.text), admitted.body.max_tokens)
        return self._answer(admitted.verified, executed(admitted, generation, answer_tokens))

    def _answer(self, request: Verified, answer: Answer, *, leased: bool = True) -> Outcome:
        payload = answer.payload()
        event = Event(str(request.record.coordinates), SOURCE, ANSWER_TYPE, request.traceparent)
        headers = write_headers(event, answer.account, time.time_ns() // 10**6)
        partition = partition_of(answer.request_hash, self.topics.answer_partitions)
        outgoing = Outgoing(
            self.topics.answers, partition, answer.request_hash.encode(), payload, headers
        )
        is_executed = answer.status is Status.EXECUTED
        level = logging.INFO if answer.status is Status.REFUSED else logging.DEBUG
        if log.isEnabledFor(level):
            log.log(level, _told(answer))
        return Outcome(
            request.record,
            answer.code or str(answer.status),
            outgoing,
            request if leased else None,
            payload if is_executed else None,
        )

    def _dead(self, dead: Dead) -> Outcome:
        log.warning(
            {"msg": "dead letter", "code": dead.code, "coordinates": str(dead.record.coordinates)}
        )
        event = Event(str(dead.record.coordinates), SOURCE, DEAD_TYPE, "")
        headers = write_headers(event, dead.code, time.time_ns() // 10**6)
        payload = dead_letter(dead, self.topics.requests)
        outgoing = Outgoing(self.topics.dead, 0, event.id.encode(), payload, headers)
        return Outcome(dead.record, "dead", outgoing)

    async def _conclude(self, outcomes: Sequence[Outcome]) -> None:
        """Publishes; once Kafka has acknowledged, records or releases; then it is finished."""
        if not outcomes:
            return
        await self.outbox.publish([o.outgoing for o in outcomes if o.outgoing is not None])
        await self.leases.record(
            [(o.verified, o.payload) for o in outcomes if o.verified and o.payload]
        )
        await self.leases.release([o.verified for o in outcomes if o.verified and not o.payload])
        for name, count in Counter(outcome.name for outcome in outcomes).items():
            self.metrics.answered.labels(name).inc(count)
        self.finish(outcomes)


_MAY_BE_NEWS = frozenset(("unknown_account", "unknown_key"))


def _told(answer: Answer) -> dict[str, object]:
    """What the log says of an answer: who, what, where; never a prompt or a text."""
    return {
        "msg": f"request {answer.status}",
        "code": answer.code,
        "account": answer.account,
        "source": answer.source,
        "id": answer.id,
        "request_hash": answer.request_hash,
        "coordinates": str(answer.coordinates),
        "node": answer.node,
    }


def _failed(admitted: Admitted, error: str) -> Answer:
    if error == Refusal.DEADLINE_EXCEEDED:
        sentence = "No node answered before the request's deadline."
        return admitted.verified.refuse(Refusal.DEADLINE_EXCEEDED, sentence)
    return admitted.verified.refuse(Refusal.NODE_FAILED, error[:500], RETRY_AFTER_MS)


def executed(admitted: Admitted, generation: Generation, answer_tokens: int) -> Answer:
    """The executed answer, with everything stamped that decides pay."""
    return admitted.verified.answer(
        Status.EXECUTED,
        model=admitted.spec.name,
        model_version=f"{admitted.spec.version}/{generation.model_version}",
        agent=admitted.body.agent,
        node=generation.node,
        prompt_tokens=admitted.prompt_tokens,
        answer_tokens=answer_tokens,
        charge_units=str(admitted.price.charge_units(admitted.prompt_tokens, answer_tokens)),
        price_hash=admitted.price_hash,
        split_hash=admitted.split_hash,
        datanet=admitted.body.datanet,
        manifest_hash=admitted.manifest_hash,
        passages=list(admitted.passages),
        prompt=admitted.body.question,
        text=generation.text,
    )


def replay(request: Verified, payload: bytes) -> Answer:
    """The executed answer again, under the coordinates of this request."""
    try:
        original = read_answer(payload)
    except InputError:
        return request.refuse(Refusal.IN_PROGRESS, "The answer kept cannot be read.", 0)
    coordinates = request.record.coordinates
    return original._replace(
        status=Status.REPLAYED,
        topic_id=coordinates.topic_id,
        partition=coordinates.partition,
        offset=coordinates.offset,
        admitted_at_ms=request.record.admitted_at_ms,
    )
