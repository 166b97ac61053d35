"""The engine: an event loop in a thread that reads lanes, serves them and publishes.

It runs beside the runner, so that latency does not depend on how a runner schedules its bundles;
the runner decides which lanes are open here and how far they are committed.
"""

import asyncio
import gc
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from distributary.errors import DistributaryError, UnavailableError
from distributary.inference.lane import Lane, LaneAddress
from distributary.inference.server import Outcome, Server

log = logging.getLogger(__name__)

OPEN_S_MAX = 90.0
# A lane that no bundle has asked for so long belongs to another worker now.
ABANDONED_S = 60.0
WATCH_S = 1.0
# How many new objects start a collection. Requests in flight hold some twenty each and leave no
# cycles: at the default of 700 the collector goes through them for 5 % of the job's time.
NEW_OBJECTS_MAX = 10_000


class ServerFactory(Protocol):
    """Makes the server on the engine's own event loop."""

    def __call__(
        self,
        finish: Callable[[Sequence[Outcome]], None],
        fail: Callable[[BaseException], None],
    ) -> Server:
        """Makes it; blocking is fine, nothing is served yet."""
        ...


@dataclass(frozen=True)
class EngineConfig:
    """What an engine needs besides its server.

    Attributes:
        consumer: confluent-kafka configuration, group apart.
        topic_id: of the requests topic.
        window_max: records of a lane ahead of its low-water mark before reading pauses.
        drain_s_max: how long a stop waits for what is in flight: the longest deadline.
    """

    consumer: dict[str, Any] = field(repr=False)
    topic_id: str
    window_max: int
    drain_s_max: float


class Engine:
    """Serves any number of lanes; every public method is safe from any thread."""

    def __init__(self, config: EngineConfig, make_server: ServerFactory) -> None:
        self._config = config
        self._lanes: dict[int, Lane] = {}
        self._lock = threading.Lock()
        self._draining = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()
        self._server = self._call(self._make(make_server))
        self._call(self._begin_watching())
        # What is imported by now stays; the collector would hold up answers by going through it.
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS_MAX, *gc.get_threshold()[1:])

    @property
    def draining(self) -> bool:
        """Whether every lane ends once its last record is finished."""
        return self._draining

    async def _make(self, make_server: ServerFactory) -> Server:
        return make_server(self._finish, self._fail)

    def _call(self, work: Any, timeout_s: float = OPEN_S_MAX) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def lane(self, address: LaneAddress, mark: int | None) -> Lane:
        """Returns the lane of a partition, opened first at the later of commit and `mark`.

        A failed lane stays failed: the process ends by it and is started anew. One that seemed
        abandoned is opened again.

        Raises:
            DistributaryError: Kafka does not answer, or the position is lost.
        """
        with self._lock:
            lane = self._lanes.get(address.partition)
            if lane is None or (lane.drained and not self._draining):
                lane = self._call(self._open(address, mark))
            lane.touched_at = time.monotonic()
            return lane

    def open_lane(self, address: LaneAddress) -> Lane | None:
        """Returns the lane where it is open and well."""
        lane = self._lanes.get(address.partition)
        return None if lane is None or lane.drained or lane.failure is not None else lane

    async def _open(self, address: LaneAddress, mark: int | None) -> Lane:
        config = self._config
        lane = await asyncio.to_thread(Lane, address, config.topic_id, config.consumer, mark)
        self._lanes[address.partition] = lane  # before its first record can be finished
        if self._draining:
            lane.stop()
        asyncio.get_running_loop().create_task(self._run(lane))
        return lane

    async def _run(self, lane: Lane) -> None:
        """Reads a lane until it is stopped; then waits for its last record and closes it."""
        try:
            await self._read(lane)
            await self._settle(lane)
            if lane.failure is None:
                await asyncio.wrap_future(lane.commit(lane.position))
        except DistributaryError as error:
            lane.failure = error
        except Exception as error:
            lane.failure = UnavailableError(f"A lane failed: {error!r}.")
            lane.failure.__cause__ = error
        if lane.failure is not None:
            log.error(
                {"msg": "lane failed", "partition": lane.address.partition, "error": lane.failure}
            )
        else:
            lane.drained = True
        await asyncio.to_thread(lane.close)

    async def _read(self, lane: Lane) -> None:
        while not lane.draining and lane.failure is None:
            await lane.wait_for_room(self._config.window_max)
            await self._server.dispatcher.room.wait()
            if records := await lane.read():
                await self._server.serve(records)

    async def _settle(self, lane: Lane) -> None:
        deadline = time.monotonic() + self._config.drain_s_max
        while lane.ahead and lane.failure is None:
            if time.monotonic() > deadline:
                raise UnavailableError("Requests in flight did not end in time.", value=lane.ahead)
            await asyncio.sleep(0.01)

    def _finish(self, outcomes: Sequence[Outcome]) -> None:
        by_partition = defaultdict(list)
        for outcome in outcomes:
            _topic_id, partition, offset = outcome.record.coordinates
            by_partition[partition].append((offset, outcome.name))
        for partition, finished in by_partition.items():
            self._lanes[partition].finish(finished)

    def _fail(self, error: BaseException) -> None:
        """Fails every lane: the next bundle of each raises, and the supervisor starts anew."""
        log.error({"msg": "engine failed", "error": repr(error)}, exc_info=error)
        for lane in self._lanes.values():
            lane.failure = lane.failure or error
            lane.stop()

    async def _begin_watching(self) -> None:
        self._loop.call_later(WATCH_S, self._watch)

    def _watch(self) -> None:
        """Looks at the lanes, and comes back whatever that raises."""
        self._loop.call_later(WATCH_S, self._watch)
        self._look()

    def _look(self) -> None:
        """Updates the gauges and stops lanes that the runner has moved elsewhere."""
        server, now = self._server, time.monotonic()
        server.metrics.in_flight.set(server.dispatcher.in_flight)
        server.metrics.waiting.set(server.dispatcher.waiting)
        server.metrics.valkey_failures.set(server.leases.failures)
        for partition, lane in self._lanes.items():
            if lane.drained or lane.failure is not None:
                continue
            lane.observe(server.metrics, str(partition), now)
            if now - lane.touched_at > ABANDONED_S and not lane.draining:
                log.warning({"msg": "lane abandoned by the runner", "partition": partition})
                lane.stop()

    def drain(self) -> None:
        """Stops reading; lanes end once their last record is finished and committed.

        A lane that is opened later ends at once.
        """
        self._draining = True

        def stop() -> None:
            for lane in self._lanes.values():
                lane.stop()

        self._loop.call_soon_threadsafe(stop)
