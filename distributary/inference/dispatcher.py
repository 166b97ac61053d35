"""Batches admitted requests, sends them to nodes and hands back one generation for each.

A request leaves with exactly one generation: a text, or an error that says why there is none.
It is in flight from the node's call until its answer is `published`: a crash repeats no more.
Results are matched by id, never by position; what a node lost or mixed up is run again, alone.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distributary.answers import Refusal
from distributary.inference.nodes import (
    Completion,
    Node,
    NodeBusyError,
    NodeRefusedError,
    Nodes,
    Prompt,
)
from distributary.inference.records import Admitted, Generation

# While the node is busy, a batch that is not full waits this long for more requests.
LINGER_S = 0.01
SWEEP_S = 0.05
ATTEMPTS_MAX = 3
PAUSE_S = (0.01, 0.05)
PAUSE_S_MAX = 1.0

Finish = Callable[[list[tuple[Admitted, Generation]]], None]


@dataclass(frozen=True)
class Limits:
    """See the settings of the same names."""

    batches_in_flight_max: int
    requests_in_flight_max: int
    retry_s_max: float


class Dispatcher:
    """Runs on one event loop; `finish` is called on it with requests as they complete.

    `surface` is called with what went wrong in here, and not in a request or a node.
    """

    def __init__(
        self,
        nodes: Nodes,
        limits: Limits,
        finish: Finish,
        surface: Callable[[BaseException], None],
    ) -> None:
        self._nodes, self._limits, self._finish = nodes, limits, finish
        self._surface = surface
        self._queues: dict[str, deque[tuple[float, Admitted]]] = {}
        self._open: set[Admitted] = set()
        self._batches = 0
        self._flying: set[Admitted] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lingering: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # Set while reading may go on: never more waits than one round of full batches.
        self.room = asyncio.Event()
        self.room.set()

    @property
    def waiting(self) -> int:
        """Requests that no node has been given yet."""
        return sum(len(queue) for queue in self._queues.values())

    @property
    def in_flight(self) -> int:
        """Requests given to nodes whose answers are not published yet."""
        return len(self._flying)

    def put(self, requests: Sequence[Admitted]) -> None:
        """Takes requests; each will be finished once."""
        now = self._loop.time()
        self._open.update(requests)
        for request in requests:
            queue = self._queues.setdefault(request.spec.name, deque())
            queue.append((now, request))
        self._pump()
        if self._open and self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    def _pump(self) -> None:
        for queue in self._queues.values():
            while queue and self._may_send(queue):
                self._send(queue)
        if self.waiting < self._limits.requests_in_flight_max:
            self.room.set()
        else:
            self.room.clear()

    def _may_send(self, queue: deque[tuple[float, Admitted]]) -> bool:
        batch_max = self._batch_max(queue)
        if len(self._flying) + min(len(queue), batch_max) > self._limits.requests_in_flight_max:
            return False
        if self._batches < self._limits.batches_in_flight_max or len(queue) >= batch_max:
            return True
        waited_s = self._loop.time() - queue[0][0]
        if waited_s < LINGER_S and self._lingering is None:
            self._lingering = self._loop.call_later(LINGER_S - waited_s, self._lingered)
        return waited_s >= LINGER_S

    def _batch_max(self, queue: deque[tuple[float, Admitted]]) -> int:
        return min(queue[0][1].spec.batch_max, self._limits.requests_in_flight_max)

    def _lingered(self) -> None:
        self._lingering = None
        self._pump()

    def _send(self, queue: deque[tuple[float, Admitted]]) -> None:
        size = min(len(queue), self._batch_max(queue))
        batch = [queue.popleft()[1] for _ in range(size)]
        self._batches += 1
        self._flying.update(batch)
        task = self._loop.create_task(self._run(batch))
        self._tasks.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._batches -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            self._surface(error)
        self._pump()

    def published(self, requests: Sequence[Admitted]) -> None:
        """Makes room: Kafka has these answers, and Valkey knows of them."""
        self._flying.difference_update(requests)
        self._pump()

    async def _run(self, batch: list[Admitted], attempt: int = 1) -> None:
        """Runs a batch until each of its requests is finished."""
        give_up_at = self._loop.time() + self._limits.retry_s_max
        pause_s = random.uniform(*PAUSE_S)  # noqa: S311  (jitter)
        while batch := [request for request in batch if request in self._open]:
            try:
                missing = await self._call(self._nodes.pick(), batch)
            except NodeBusyError as error:
                if self._loop.time() + pause_s > give_up_at:
                    self._fail(batch, f"No node took the request: {error}.")
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
            except NodeRefusedError as error:
                await self._bisect(batch, str(error), attempt)
                return
            else:
                await self._again(missing, attempt)
                return

    async def _call(self, node: Node, batch: list[Admitted]) -> list[Admitted]:
        """One call; returns the requests that came back without a result of their own."""
        prompts = [
            Prompt(str(r.verified.record.coordinates), r.prompt, r.body.max_tokens) for r in batch
        ]
        timeout_s = max(r.due_at for r in batch) - self._loop.time()
        self._nodes.started(node, len(batch))
        healthy = False
        try:
            version, completions = await node.generate(
                batch[0].spec.triton_model, prompts, timeout_s
            )
            healthy = True
        except NodeRefusedError:
            healthy = True
            raise
        finally:
            self._nodes.ended(node, len(batch), healthy=healthy)
        matched, missing = match(batch, prompts, completions)
        self._settle([(r, Generation(c.text, node.name, version, c.error)) for r, c in matched])
        return missing

    async def _bisect(self, batch: list[Admitted], error: str, attempt: int) -> None:
        """Splits a refused batch until the one to blame is alone."""
        if len(batch) == 1:
            self._fail(batch, f"The node refused the request: {error}.")
            return
        middle = len(batch) // 2
        await asyncio.gather(self._run(batch[:middle], attempt), self._run(batch[middle:], attempt))

    async def _again(self, missing: list[Admitted], attempt: int) -> None:
        if attempt >= ATTEMPTS_MAX:
            self._fail(missing, f"The node returned no result of its own in {attempt} tries.")
        else:
            await asyncio.gather(*(self._run([request], attempt + 1) for request in missing))

    def _fail(self, requests: Sequence[Admitted], error: str) -> None:
        self._settle([(r, Generation(None, "", "", error)) for r in requests])

    def _settle(self, results: list[tuple[Admitted, Generation]]) -> None:
        """Finishes each request the first time only: one past its deadline is gone already."""
        first = [(r, generation) for r, generation in results if r in self._open]
        self._open.difference_update([r for r, _ in first])
        if first:
            self._finish(first)

    def _sweep(self) -> None:
        """Finishes requests past their deadline, whatever their node is doing."""
        now = self._loop.time()
        late = [request for request in self._open if request.due_at <= now]
        self._settle([(r, Generation(None, "", "", Refusal.DEADLINE_EXCEEDED.value)) for r in late])
        if late:
            self._drop_finished()
        more = bool(self._open)
        self._sweeping = self._loop.call_later(SWEEP_S, self._sweep) if more else None

    def _drop_finished(self) -> None:
        for name, queue in self._queues.items():
            self._queues[name] = deque(entry for entry in queue if entry[1] in self._open)
        self._pump()


def match(
    batch: Sequence[Admitted], prompts: Sequence[Prompt], completions: Sequence[Completion]
) -> tuple[list[tuple[Admitted, Completion]], list[Admitted]]:
    """Matches completions to requests by id, strictly one to one.

    Returns:
        The matched pairs, and the requests with no completion or with more than one.
    """
    times = Counter([completion.id for completion in completions])
    once = {c.id: c for c in completions if times[c.id] == 1}
    matched, missing = [], []
    for request, prompt in zip(batch, prompts, strict=True):
        if (completion := once.get(prompt.id)) is not None:
            matched.append((request, completion))
        else:
            missing.append(request)
    return matched, missing
