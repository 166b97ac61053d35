"""`kill -9` before and after every durable write and around every send; two settlers at once."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from distributary.store import connect
from orchestration import settlement
from orchestration.settlement.stops import StopError
from tests.faults.settlement.forks import in_flight, kill_self, place, settle, stop_self, wait
from tests.faults.settlement.meddling import Meddler, is_behind
from tests.faults.settlement.test_disputes import states
from tests.money_model import check_money
from tests.settlement_world import World, run

KILLS_MIN, KILLS_MAX = 30, 200
CODE = Path(settlement.__file__).parent


def checkpoint_names() -> set[str]:
    """Every checkpoint of the code."""
    text = "".join(path.read_text() for path in CODE.glob("*.py"))
    moves = re.findall(r'self\._move\(.*, "(\w+)"\)', text)
    assert moves
    return {
        *re.findall(r'\bcheckpoint\("([^"]+)"\)', text),
        *(f"{when} {name}" for name in moves for when in ("before", "after")),
    }


def kill_everywhere(
    world: World,
    met: Path,
    where: Callable[[str], str],
    between: Callable[[], None] = lambda: None,
) -> int:
    """Kills a run at every new place until one ends; how often. `between` may interfere."""
    met.touch()

    def checkpoint(name: str) -> None:
        here = f"{name} @ {where(name)}"
        if here not in met.read_text().splitlines():
            with met.open("a") as file:
                file.write(here + "\n")
            kill_self()

    kills = 0
    while (code := wait(settle(world, checkpoint))) != 0:
        assert code == -signal.SIGKILL
        kills += 1
        assert kills < KILLS_MAX
        check_money(world, settled=False, behind=is_behind(world))
        between()
    check_money(world)
    return kills


@pytest.mark.timeout(1200)
def test_settle__killed_at_every_checkpoint_in_turn__ends_as_if_nothing_had_happened(
    slow_world, tmp_path
):
    world, met = slow_world, [tmp_path / "met", tmp_path / "met with faults"]
    world.close_one()
    kills = kill_everywhere(world, met[0], lambda name: place(world.dsn, name))
    assert kills >= KILLS_MIN
    assert world.chain.contract.read("activeRoot") != bytes(32)
    # Once more, and at every other moment somebody interferes.
    world.close_one()
    meddler = Meddler(world)
    kills += kill_everywhere(world, met[1], lambda _: in_flight(world.dsn), meddler.meddle)
    assert meddler.left == []
    assert states(world) == [(1, 1, "active"), (2, 1, "rejected"), (2, 2, "active")]
    names = {line.split(" @ ")[0] for path in met for line in path.read_text().splitlines()}
    print(f"{kills} kills at {len(names)} kinds of checkpoint")
    assert names == checkpoint_names()


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
