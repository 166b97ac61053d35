"""The same recorded answers give the same root, however they arrived."""

import random
from pathlib import Path
from typing import Any

import psycopg
import pytest

from distributary.epochs import Closer
from distributary.lake.files import manifest_path
from distributary.recording.records import Bundle
from distributary.store import connect
from distributary.store.commit import Committer
from distributary.store.lanes import open_lane
from tests.chain_contract import deploy
from tests.money_model import check_money
from tests.settlement_world import IDS, World, run
from tests.signed_answers import DOMAIN, batch, bundle

PARTITIONS, ANSWERS = 3, 9
CUT = 9


class _CrashError(Exception):
    """A bundle that dies before it commits."""


def record(world: World, seed: int) -> None:
    """Commits the same answers of every partition, in bundles and an order of the seed.

    Every seed but 0 also delivers bundles again, opens lanes anew in between, and dies in some
    bundles after their file was written.
    """
    chance = random.Random(seed)
    names = iter(range(10**6))
    committer = Committer(world.lake, IDS, lambda: f"{seed}-{next(names)}")
    given = {
        partition: [
            customer.answer(number * PARTITIONS + partition)
            for customer in world.customers
            for number in range(ANSWERS)
        ]
        for partition in range(PARTITIONS)
    }
    next_offset = dict.fromkeys(given, 0)
    with connect(world.dsn, autocommit=True) as connection:
        while any(next_offset[p] < len(given[p]) for p in given):
            partition = chance.choice([p for p in given if next_offset[p] < len(given[p])])
            lane = open_lane(connection, "answers-topic", "inference.answers", partition, 0).lane
            start = next_offset[partition]
            rows = given[partition][start : start + (4 if seed == 0 else chance.randint(1, 7))]
            made = bundle(batch(lane, start, rows))
            if seed and chance.random() < 0.3:
                with pytest.raises(_CrashError):
                    _die(committer, connection, made)
                continue
            committer.commit(connection, made)
            if seed and chance.random() < 0.3:
                with pytest.raises(Exception, match=r".") as again:
                    committer.commit(connection, made)
                assert again.value is not None
            next_offset[partition] += len(rows)
        Closer(world.lake, DOMAIN, read_cut=lambda: CUT).close(connection)


def _die(committer: Committer, connection: Any, made: Bundle) -> None:
    """A bundle whose transaction is rolled back after its file was written."""
    with connection.transaction():
        committer.commit(connection, made)
        raise _CrashError


def settled(world: World) -> tuple[bytes, bytes]:
    """The answers manifest's bytes, and the root."""
    world.chain.client.ask("evm_setAutomine", False)
    assert run(world).active == [1]
    check_money(world)
    with psycopg.connect(world.dsn) as connection:
        row = connection.execute("select root from postings where state = 'active'").fetchone()
    assert row is not None
    return manifest_path(world.lake, 1).read_bytes(), row[0]


@pytest.mark.parametrize("seed", [1, 2])
def test_root__same_answers_read_in_other_ways__is_identical(
    fresh_database, tmp_path: Path, start_node, seed
):
    found = []
    for number, each in enumerate((0, seed)):
        world = World(fresh_database(), tmp_path / str(number), deploy(start_node()))
        world.mine(10)
        record(world, each)
        found.append(settled(world))
    assert found[0] == found[1]
