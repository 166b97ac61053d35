"""What a person has to look at: each ends the run by name, and nothing is signed meanwhile."""

from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pyarrow.parquet as pq
import pytest

from distributary.errors import DistributaryError
from distributary.rewards.leaves import Leaf
from distributary.store import connect
from orchestration.chain import local
from orchestration.chain.errors import ChainStopError
from orchestration.settlement.holding import HoldPolicy
from orchestration.settlement.stops import StopError
from tests.money_model import check_money
from tests.settlement_world import OWNER, World, crash_after, run
from tests.strict_node import SEND, StrictNode


def stopped(world: World, **options: object) -> str:
    with pytest.raises((StopError, ChainStopError, DistributaryError)) as stop:
        run(world, **options)
    return stop.value.code


def copy_database(world: World, name: str) -> str:
    """The database as it is now, under another name: what a backup would give back."""
    url = urlsplit(world.dsn)
    source = url.path.lstrip("/")
    with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name} template {source}")
    return url._replace(path=f"/{name}").geturl()


@pytest.mark.parametrize("after", ["commit", "post", "active"])
def test_settle__database_restored_to_before__stops_as_the_chain_is_ahead(world, after):
    world.close_one()
    now = world.dsn
    if after != "commit":
        point = "after committed" if after == "post" else "after sent"
        with pytest.raises(KeyboardInterrupt):
            run(world, checkpoint=crash_after(point))
    if after == "active":
        world.dsn = copy_database(world, "backup_active")
        # The backup has the posting as sent; what it lacks is a whole later posting.
        world.dsn, backup = now, world.dsn
        run(world)
        world.close_one()
        run(world)
    else:
        backup = copy_database(world, f"backup_{after}")
        run(world)
    world.dsn = backup
    assert stopped(world) == "chain_ahead"
    world.dsn = now
    check_money(world)
    drop = urlsplit(backup)
    with psycopg.connect(drop._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(f"drop database {drop.path.lstrip('/')} with (force)")


def test_settle__dbt_gives_another_leaf__nothing_is_signed(world):
    world.close_one()
    with connect(world.dsn, autocommit=True) as connection:
        real = world.reference(connection)

        def wrong(posting_id: int) -> list[Leaf]:
            kind, address, units = real(posting_id)[0]
            return [Leaf(kind, address, units + 1), *real(posting_id)[1:]]

        with pytest.raises(StopError) as stop:
            world.settlement(connection, build_rewards=wrong).run()
    assert stop.value.code == "roots_differ"
    assert world.chain.contract.read("pending")[0] == bytes(32)
    assert run(world).active == [1]
    check_money(world)


@pytest.mark.parametrize("code", ["gate_failed", "epoch_held"])
def test_settle__gate_stops__nothing_is_posted_until_it_passes(world, code):
    world.close_one()

    def refuse(_posted: object) -> None:
        raise StopError(code)

    assert stopped(world, gate=refuse) == code
    assert world.chain.contract.read("pending")[0] == bytes(32)
    assert run(world).active == [1]
    check_money(world)


def test_settle__dbt_dies__nothing_is_posted_until_it_builds(world):
    world.close_one()

    def dies(_posting_id: int) -> list[Leaf]:
        raise StopError("rewards_failed", "killed inside a model")

    assert stopped(world, build_rewards=dies) == "rewards_failed"
    assert run(world).active == [1]
    check_money(world)


@pytest.mark.parametrize("which", ["answers", "leaves"])
@pytest.mark.parametrize("how", ["truncated", "altered", "gone"])
def test_settle__parquet_damaged_after_the_manifest__is_never_posted(world, which, how):
    world.close_one()
    point = "after sent" if which == "leaves" else "after manifest"
    with pytest.raises(KeyboardInterrupt):
        run(world, checkpoint=crash_after(point))
    pattern = {
        "answers": "epochs/*/answers-*.parquet",
        "leaves": "settlements/*/leaves.parquet",
    }[which]
    (path,) = world.lake.glob(pattern)
    kept = path.read_bytes()
    damage(path, how)
    assert stopped(world) in ("lake_file_damaged", "inputs_altered")
    path.write_bytes(kept)
    assert run(world).active == [1]
    check_money(world)


def test_settle__leaves_written_anew_with_other_amounts__are_never_copied(world):
    world.close_one()
    with pytest.raises(KeyboardInterrupt):
        run(world, checkpoint=crash_after("after sent"))
    (path,) = world.lake.glob("settlements/*/leaves.parquet")
    kept, table = path.read_bytes(), pq.read_table(path)
    more = [str(int(units) + 1) for units in table["cumulative_units"].to_pylist()]
    place = table.schema.get_field_index("cumulative_units")
    pq.write_table(table.set_column(place, table.schema.field(place), [more]), path)
    assert stopped(world) == "inputs_altered"
    with psycopg.connect(world.dsn) as connection:
        assert connection.execute("select from settlement.posted_leaves").fetchall() == []
    path.write_bytes(kept)
    assert run(world).active == [1]
    check_money(world)


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 3] ^= 1
        path.write_bytes(data)


def test_settle__wrong_chain__signs_nothing(world):
    world.close_one()
    with StrictNode(world.chain.node.url) as node:
        node.overrides["eth_chainId"] = lambda asked, real: "0x1"
        assert stopped(world, url=node.url) == "wrong_chain"
        assert node.sent == []


def test_settle__code_at_the_address_changed__signs_nothing(world):
    world.close_one()
    code = world.ask("eth_getCode", world.chain.contract.address, "latest")
    world.ask("anvil_setCode", world.chain.contract.address, code + "00")
    assert stopped(world) == "wrong_contract"
    world.ask("anvil_setCode", world.chain.contract.address, code)
    assert run(world).active == [1]


def test_settle__another_settler_in_the_contract__signs_nothing(world):
    world.close_one()
    with connect(world.dsn, autocommit=True) as connection:
        settlement = world.settlement(connection)
        settlement.actions.contract = type(settlement.actions.contract)(
            world.chain.contract, connection, 31337, local.known_address(7)
        )
        with pytest.raises(StopError) as stop:
            settlement.run()
    assert stop.value.code == "not_settler"


def test_settle__gas_too_dear_for_what_is_settled__waits_and_later_takes_all_epochs(world):
    policy = HoldPolicy(gas_share_bp_max=1, token_value_wei=1, age_s_max=10**9)
    world.close_one()
    report = run(world, hold_policy=policy)
    assert report.waiting["for"] == "gas"
    assert report.committed == [1]
    world.close_one()
    assert run(world, hold_policy=policy).posted == []
    assert run(world).active == [1]
    with psycopg.connect(world.dsn) as connection:
        assert connection.execute("select from_epoch, to_epoch from postings").fetchall() == [
            (1, 2)
        ]
    check_money(world)


def test_settle__too_old_to_wait__is_posted_whatever_gas_costs(world):
    world.close_one()
    world.mine(30)
    policy = HoldPolicy(gas_share_bp_max=1, token_value_wei=1, age_s_max=0)
    assert run(world, hold_policy=policy).active == [1]


def test_settle__answers_of_every_kind_of_fault_in_one_run__ends_once(world):
    from tests.settler_model import SettlerModel

    world.close_one()
    model = SettlerModel(world.dsn, world.chain.node)  # type: ignore[arg-type]
    with StrictNode(world.chain.node.url, model.on_send) as node:
        for kind in ("cut", 429, "already known", 503, "drop", "nonce too low", "swallow"):
            node.fail(SEND, kind, 1)
        for method in ("eth_getTransactionReceipt", "eth_call", "eth_getBlockByNumber"):
            node.fail(method, 503, 2)
            node.fail(method, "cut", 1)
        assert run(world, url=node.url).active == [1]
    model.check()
    check_money(world)


def test_settle__reorg_while_it_works__ends_once(world):
    world.close_one()
    reorged: list[str] = []

    def checkpoint(name: str) -> None:
        if name == "after mined" and len(reorged) < 3:
            reorged.append(name)
            world.ask("anvil_reorg", 1, [])

    assert run(world, checkpoint=checkpoint).active == [1]
    assert reorged
    check_money(world)


def test_settle__binding_that_the_contract_refuses__is_set_aside_and_halts_nothing(world):
    # Bound by somebody else on the chain, to another address.
    world.chain.do(local.SETTLER, "bindOwner", OWNER, "0x" + "8" * 40)
    world.foreign += 1
    world.close_one()
    report = run(world)
    assert (report.refused, report.bound, report.active) == ([OWNER], [], [1])
    check_money(world)


def test_settle__empty_epochs_after_one_with_answers__are_posted_with_the_same_root(world):
    world.close_one(1)
    run(world)
    for number in (2, 3):
        world.ask("evm_setAutomine", True)
        world.close()
        world.ask("evm_setAutomine", False)
        assert run(world).active == [number]
        check_money(world)
    assert world.chain.contract.read("nextEpoch") == 4


def test_settle__empty_epoch__is_covered_by_a_posting(world):
    world.ask("evm_setAutomine", True)
    epoch = world.close()
    world.ask("evm_setAutomine", False)
    report = run(world)
    assert report.committed == [epoch]
    assert report.active == [1]
    check_money(world)


def test_settle__empty_epoch_after_a_posting__is_posted_with_the_same_root(world):
    for posting in (1, 2):
        world.ask("evm_setAutomine", True)
        epoch = world.close()
        world.ask("evm_setAutomine", False)
        report = run(world)
        assert (report.posted, report.active) == ([posting], [posting])
        assert world.chain.contract.read("nextEpoch") == epoch + 1
    check_money(world)
