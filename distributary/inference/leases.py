"""Look-up and lease of requests in Valkey, by identity.

One key per identity holds either a lease, of the coordinates that run it, or the executed answer.
Losing Valkey costs repeated work and never a second charge: the attribution job charges a request
hash once. So every failure here is answered with "run it".
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from redis.exceptions import RedisError

from distributary.inference.records import Verified

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

# While Valkey does not answer, one batch a second tries it, so that the others lose no time.
RETRY_AFTER_S = 1.0

# One script a batch, and so one reply: redis-py spends ten times as long on a reply for each key.
# KEYS: identities. ARGV: first the time to live, then one value for each key.
_LOOK_UP = """
local held = {}
for i, key in ipairs(KEYS) do
  held[i] = redis.call('set', key, ARGV[i + 1], 'nx', 'get', 'px', ARGV[1]) or ''
end
return held
"""
_RECORD = """
for i, key in ipairs(KEYS) do redis.call('set', key, ARGV[i + 1], 'px', ARGV[1]) end
"""
# Deletes a lease only while it is still ours.
_RELEASE = """
for i, key in ipairs(KEYS) do
  if redis.call('get', key) == ARGV[i + 1] then redis.call('del', key) end
end
"""


class Found(Enum):
    """What the look-up of a request found."""

    LEASED = auto()  # by us, now: run it
    FINISHED = auto()  # executed at the same coordinates: nothing to publish
    EXECUTED = auto()  # executed at other coordinates: replay it
    CONFLICT = auto()  # the identity stands for another request hash
    IN_PROGRESS = auto()  # leased by other coordinates: wait


class Lookup(NamedTuple):
    """The result of a look-up: `request_hash` and `answer` are the earlier request's."""

    found: Found
    request_hash: str = ""
    answer: bytes = b""


def lease_key(verified: Verified) -> bytes:
    """The Valkey key of a request's identity; names have no control characters to confuse it."""
    identity = "\n".join(verified.request.purchase.identity)
    return b"request:" + hashlib.sha256(identity.encode()).digest()[:20]


def lease_value(verified: Verified) -> bytes:
    """What a lease says: the coordinates that run it and the request hash."""
    return f"L {verified.record.coordinates} {verified.request.purchase.request_hash}".encode()


def read_lookup(verified: Verified, held: bytes) -> Lookup:
    """Tells what the value held before ours means for this request; empty: there was none."""
    if not held:
        return Lookup(Found.LEASED)
    kind, coordinates, rest = held.split(b" ", 2)
    request_hash, _, answer = rest.partition(b" ")
    purchase = verified.request.purchase
    same_place = coordinates.decode() == str(verified.record.coordinates)
    if request_hash.decode() != purchase.request_hash:
        return Lookup(Found.CONFLICT, request_hash.decode())
    if kind == b"L":
        return Lookup(Found.LEASED if same_place else Found.IN_PROGRESS, request_hash.decode())
    found = Found.FINISHED if same_place else Found.EXECUTED
    return Lookup(found, request_hash.decode(), answer)


class Leases:
    """Leases and executed answers in one Valkey.

    Args:
        client: has one connection and no time-out of its own, which would be a task for each trip.
        timeout_s: bounds what a slow Valkey can cost a batch.
        lease_ms: how long a lease lives: longer than the longest deadline.
        replay_s: how long an executed answer is kept.
    """

    def __init__(self, client: "Redis", *, timeout_s: float, lease_ms: int, replay_s: int) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._lease_ms = lease_ms
        self._replay_s = replay_s
        self._away_until = 0.0
        self._turn = asyncio.Lock()
        self.failures = 0

    async def _run(
        self, script: str, live_ms: int, values: Sequence[tuple[bytes, bytes]]
    ) -> list[bytes] | None:
        """Runs a script over (key, value) pairs; None when Valkey does not answer."""
        if not values:
            return None
        async with self._turn:
            return await self._evaluate(script, live_ms, values)

    async def _evaluate(
        self, script: str, live_ms: int, values: Sequence[tuple[bytes, bytes]]
    ) -> list[bytes] | None:
        if time.monotonic() < self._away_until:
            return None
        keys, arguments = zip(*values, strict=True)
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._client.eval(script, len(keys), *keys, live_ms, *arguments)
        except (RedisError, OSError, TimeoutError) as error:
            self.failures += 1
            self._away_until = time.monotonic() + RETRY_AFTER_S
            log.warning(
                {"msg": "Valkey does not answer; serving without leases", "error": repr(error)}
            )
            return None
        return reply or []

    async def look_up(self, requests: Sequence[Verified]) -> list[Lookup]:
        """Looks up and leases; where Valkey does not answer, every request is ours to run."""
        values = [(lease_key(r), lease_value(r)) for r in requests]
        held = await self._run(_LOOK_UP, self._lease_ms, values)
        if held is None:
            return [Lookup(Found.LEASED) for _ in requests]
        return [read_lookup(r, value) for r, value in zip(requests, held, strict=True)]

    async def record(self, executed: Sequence[tuple[Verified, bytes]]) -> None:
        """Keeps executed answers (request, payload), once Kafka has acknowledged them."""
        values = [(lease_key(r), b"E" + lease_value(r)[1:] + b" " + p) for r, p in executed]
        await self._run(_RECORD, 1000 * self._replay_s, values)

    async def release(self, requests: Sequence[Verified]) -> None:
        """Deletes our leases of refused requests, so that they can be tried again."""
        await self._run(_RELEASE, 0, [(lease_key(r), lease_value(r)) for r in requests])

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
