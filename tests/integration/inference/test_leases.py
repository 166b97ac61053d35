"""What a look-up finds and what is kept, in a real Valkey."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from distributary.inference.leases import Found, Leases, lease_key
from tests.unit.inference.records_at import ask, verified

FIRST, AGAIN = verified(ask("1"), 1), verified(ask("1"), 2)
CHANGED = verified(ask("1", {"model": "simulated", "prompt": "another"}), 3)
OTHER = verified(ask("2"), 4)


Flow = Callable[[Leases, "Redis"], Awaitable[None]]


@pytest.fixture
def run(fresh_valkey: str) -> Callable[[Flow], None]:
    """Runs a flow with leases in an empty Valkey."""

    async def with_leases(flow: Flow) -> None:
        client = Redis.from_url(fresh_valkey)
        ours = Leases(client, timeout_s=5.0, lease_ms=60_000, replay_s=60)
        try:
            await flow(ours, client)
            assert ours.failures == 0
        finally:
            await ours.close()

    def run(flow: Flow) -> None:
        asyncio.run(with_leases(flow))

    return run


def test_look_up__never_seen__is_leased_by_us(
    run: Callable[[Flow], None],
) -> None:
    async def flow(ours: Leases, client: Redis) -> None:
        found = await ours.look_up([FIRST, OTHER])
        assert [each.found for each in found] == [Found.LEASED, Found.LEASED]

    run(flow)


def test_look_up__leased__is_ours_at_the_same_coordinates_alone(
    run: Callable[[Flow], None],
) -> None:
    async def flow(ours: Leases, client: Redis) -> None:
        found = await ours.look_up([FIRST, FIRST, AGAIN, CHANGED])
        assert [each.found for each in found] == [
            Found.LEASED,
            Found.LEASED,
            Found.IN_PROGRESS,
            Found.CONFLICT,
        ]
        assert found[3].request_hash == FIRST.request.purchase.request_hash

    run(flow)


def test_look_up__executed__is_finished_replayed_or_a_conflict(
    run: Callable[[Flow], None],
) -> None:
    async def flow(ours: Leases, client: Redis) -> None:
        await ours.look_up([FIRST])
        await ours.record([(FIRST, b"the answer, with spaces")])
        found = await ours.look_up([FIRST, AGAIN, CHANGED])
        assert [each.found for each in found] == [Found.FINISHED, Found.EXECUTED, Found.CONFLICT]
        assert found[1].answer == b"the answer, with spaces"

    run(flow)


def test_release__of_our_lease__lets_others_run_it(
    run: Callable[[Flow], None],
) -> None:
    async def flow(ours: Leases, client: Redis) -> None:
        await ours.look_up([FIRST])
        await ours.release([FIRST])
        assert [each.found for each in await ours.look_up([AGAIN])] == [Found.LEASED]

    run(flow)


def test_release__of_anothers_lease_or_an_answer__changes_nothing(
    run: Callable[[Flow], None],
) -> None:
    async def flow(ours: Leases, client: Redis) -> None:
        await ours.look_up([FIRST, OTHER])
        await ours.record([(OTHER, b"answer")])
        await ours.release([AGAIN, OTHER])
        found = await ours.look_up([AGAIN, OTHER])
        assert [each.found for each in found] == [Found.IN_PROGRESS, Found.FINISHED]

    run(flow)


def test_leases__kept_in_valkey__expire(
    run: Callable[[Flow], None],
) -> None:
    async def flow(ours: Leases, client: Redis) -> None:
        await ours.look_up([FIRST, OTHER])
        await ours.record([(FIRST, b"answer")])
        assert 0 < await client.pttl(lease_key(OTHER)) <= 60_000
        assert 0 < await client.ttl(lease_key(FIRST)) <= 60

    run(flow)
