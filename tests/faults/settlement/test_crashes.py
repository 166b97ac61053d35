"""`kill -9` before and after every durable write and around every send; two settlers at once."""

import os
import signal

import psycopg
import pytest

from distributary.store import connect
from orchestration.settlement.stops import StopError
from tests.faults.settlement.forks import kill_self, place, settle, stop_self, wait
from tests.money_model import check_money
from tests.settlement_world import run

KILLS_MIN, KILLS_MAX = 30, 200


@pytest.mark.timeout(1200)
def test_settle__killed_at_every_checkpoint_in_turn__ends_as_if_nothing_had_happened(
    world, tmp_path
):
    world.close_one()
    met = tmp_path / "met"
    met.touch()

    def checkpoint(name: str) -> None:
        here = place(world.dsn, name)
        if here not in met.read_text().splitlines():
            with met.open("a") as file:
                file.write(here + "\n")
            kill_self()

    kills = 0
    while (code := wait(settle(world, checkpoint))) != 0:
        assert code == -signal.SIGKILL
        kills += 1
        assert kills < KILLS_MAX
        check_money(world, settled=False)
    names = {line.split(" (")[0] for line in met.read_text().splitlines()}
    print(f"{kills} kills at {len(names)} kinds of checkpoint")
    check_money(world)
    assert kills >= KILLS_MIN
    assert {"before reserved", "after reserved", "after send", "before active"} <= names
    assert world.chain.contract.read("activeRoot") != bytes(32)


def test_settle__second_settler_while_the_first_works__is_a_named_stop(world):
    world.close_one()
    with connect(world.dsn, autocommit=True) as connection:
        world.settlement(connection)
        with pytest.raises(StopError) as stop:
            run(world)
    assert stop.value.code == "settler_busy"
    run(world)
    check_money(world)


@pytest.mark.parametrize("at", ["after reserved", "before send", "after send", "before committed"])
def test_settle__first_settler_paused_and_its_connection_lost__only_one_of_two_counts(world, at):
    world.close_one()
    paused = []

    def checkpoint(name: str) -> None:
        if name == at and not paused:
            paused.append(name)
            stop_self()

    pid = settle(world, checkpoint)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    with pytest.raises(StopError) as stop:
        run(world)
    assert stop.value.code == "settler_busy"
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        # What a network between them would do: the server gives up on the silent one.
        connection.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' "
            "and pid <> pg_backend_pid() "
            "and database = (select oid from pg_database where datname = current_database())"
        )
    run(world)
    check_money(world)
    os.kill(pid, signal.SIGCONT)
    assert wait(pid) == 1
    world.mine(5)
    check_money(world)
    report = run(world)
    assert (report.posted, report.active) == ([], [])
