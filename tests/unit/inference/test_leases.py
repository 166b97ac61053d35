"""What a value held in Valkey means for a request, and serving without leases."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Away

from distributary.inference.leases import Found, Leases, lease_key, lease_value, read_lookup
from tests.unit.inference.records_at import ask, verified

FIRST, AGAIN = verified(ask("1"), 1), verified(ask("1"), 2)
CHANGED = verified(ask("1", {"model": "simulated", "prompt": "another"}), 3)
OTHER = verified(ask("2"), 4)


def test_look_up__valkey_is_away__everything_is_ours_and_it_is_left_alone_a_while() -> None:
    class AwayClient:
        asked = 0

        async def eval(self, *_: Any) -> None:
            self.asked += 1
            raise Away("refused")

    async def flow() -> None:
        client: Any = AwayClient()
        ours = Leases(client, timeout_s=5.0, lease_ms=60_000, replay_s=60)
        for _ in range(3):
            found = await ours.look_up([FIRST, AGAIN])
            assert [each.found for each in found] == [Found.LEASED, Found.LEASED]
        await ours.record([(FIRST, b"answer")])
        await ours.release([OTHER])
        assert (client.asked, ours.failures) == (1, 1)

    asyncio.run(flow())


def test_look_up__valkey_is_too_slow__everything_is_ours_once_the_time_is_up() -> None:
    class SlowClient:
        async def eval(self, *_: Any) -> None:
            await asyncio.sleep(3_600)

    async def flow() -> None:
        client: Any = SlowClient()
        ours = Leases(client, timeout_s=0.01, lease_ms=60_000, replay_s=60)
        (found,) = await ours.look_up([FIRST])
        assert (found.found, ours.failures) == (Found.LEASED, 1)

    asyncio.run(flow())


def test_read_lookup__nothing_held__is_leased() -> None:
    assert read_lookup(FIRST, b"").found is Found.LEASED


@pytest.mark.parametrize("other", [OTHER, verified(ask("1", source="other"), 1)])
def test_lease_key__another_identity__is_another_key(other: Any) -> None:
    assert lease_key(FIRST) == lease_key(AGAIN) == lease_key(CHANGED)
    assert lease_key(FIRST) != lease_key(other)
    assert lease_value(FIRST) != lease_value(AGAIN)
