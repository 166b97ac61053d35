"""Valkey with a full memory: answers make room, leases of running requests stay."""

import time
from collections.abc import Callable

import redis

from distributary.stack.local import LocalStack

LEASE_MS, ANSWER_MS = 360_000, 86_400_000
ANSWER = b"a" * 10_000
LRU_CLOCK_S = 1.0  # keys used within one tick are of one age


def test_valkey__memory_is_full__old_answers_go_and_leases_stay(
    own_stack: Callable[..., LocalStack],
) -> None:
    with redis.Redis.from_url(own_stack("valkey").settings.valkey) as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used + 400 * len(ANSWER))
        client.config_set("maxmemory-samples", 64)  # the real order, not a guess at it
        for number in range(1_000):
            client.set(f"answer {number}", ANSWER, px=ANSWER_MS)
        time.sleep(2 * LRU_CLOCK_S)
        for number in range(20):
            client.set(f"lease {number}", b"l", px=LEASE_MS)
        for number in range(1_000, 1_100):
            client.set(f"answer {number}", ANSWER, px=ANSWER_MS)

        leases = client.exists(*(f"lease {number}" for number in range(20)))
        evicted = int(client.info("stats")["evicted_keys"])
    assert evicted > 0
    assert leases == 20
