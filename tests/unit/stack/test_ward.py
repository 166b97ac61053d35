"""When a server is started again, and when that is given up."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from distributary.errors import UnavailableError
from distributary.stack.process import Identity
from distributary.stack.server import Server
from distributary.stack.ward import (
    BACKOFF_S_MAX,
    FAILURES_IN_A_ROW_MAX,
    STEADY_S,
    State,
    Ward,
    backoff_s,
)

if TYPE_CHECKING:
    from collections.abc import Callable

READY_S_MAX = 10.0


class FakeProcess:
    """A process that ends when the test says so."""

    def __init__(self) -> None:
        self.identity = Identity(1, 1, ("server",))
        self.exit_code: int | None = None
        self.stopped: list[bool] = []

    def stop(self, *, immediate: bool = False) -> None:
        self.stopped.append(immediate)


class Machine:
    """A ward with doubles around it: knobs for readiness, preparation and death."""

    def __init__(self) -> None:
        self.why_not_ready: str | None = "starting up"
        self.prepare: Callable[[], None] = lambda: None
        self.processes: list[FakeProcess] = []
        server = Server(
            name="server",
            argv=("server",),
            folder=Path("unused"),
            endpoints={},
            ports=(),
            prepare=lambda: self.prepare(),
            ready=lambda: self.why_not_ready,
            ready_s_max=READY_S_MAX,
        )
        self.ward = Ward(server, Path("unused"), self._launch)

    def _launch(self, _server: Server, _log: Path) -> FakeProcess:
        self.processes.append(FakeProcess())
        return self.processes[-1]

    def die(self, code: int = -9) -> None:
        self.processes[-1].exit_code = code

    def make_ready(self, now: float) -> None:
        self.ward.tick(now)
        self.why_not_ready = None
        self.ward.tick(now)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (20, BACKOFF_S_MAX)]
)
def test_backoff_s__after_failures__doubles_up_to_its_limit(failures: int, seconds: float) -> None:
    assert backoff_s(failures) == seconds


def test_tick__first__starts_the_server_which_is_no_restart() -> None:
    machine = Machine()

    assert machine.ward.tick(0.0)

    assert machine.ward.state == State.STARTING
    assert len(machine.processes) == 1
    assert machine.ward.as_json()["restarts"] == 0


def test_tick__server_answers__is_ready() -> None:
    machine = Machine()
    machine.make_ready(0.0)

    assert machine.ward.state == State.READY


def test_tick__ready_server_died__is_started_again_after_the_back_off() -> None:
    machine = Machine()
    machine.make_ready(0.0)
    machine.die()

    machine.ward.tick(1.0)
    assert machine.ward.state == State.RESTARTING
    assert "code -9" in machine.ward.reason
    machine.ward.tick(1.4)
    assert len(machine.processes) == 1
    machine.ward.tick(1.5)

    assert len(machine.processes) == 2
    assert machine.ward.restarts == 1


def test_tick__server_died__its_children_are_stopped_before_the_next_start() -> None:
    machine = Machine()
    machine.make_ready(0.0)
    machine.die()

    machine.ward.tick(1.0)

    assert machine.processes[0].stopped == [True]


def test_tick__not_ready_in_time__is_stopped_and_counts_as_a_failure() -> None:
    machine = Machine()
    machine.ward.tick(0.0)

    machine.ward.tick(READY_S_MAX + 0.1)

    assert machine.ward.state == State.RESTARTING
    assert "starting up" in machine.ward.reason
    assert machine.processes[0].stopped


def _fail_until_given_up(machine: Machine) -> float:
    now = 0.0
    for _ in range(FAILURES_IN_A_ROW_MAX):
        machine.ward.tick(now)
        machine.die(1)
        machine.ward.tick(now)
        now += BACKOFF_S_MAX
    return now


def test_tick__too_many_failures_in_a_row__gives_up() -> None:
    machine = Machine()
    now = _fail_until_given_up(machine)

    assert machine.ward.state == State.GAVE_UP
    assert not machine.ward.tick(now + 1e6)
    assert len(machine.processes) == FAILURES_IN_A_ROW_MAX


def test_forgive__after_giving_up__starts_again() -> None:
    machine = Machine()
    now = _fail_until_given_up(machine)

    machine.ward.forgive()
    machine.ward.tick(now)

    assert machine.ward.state == State.STARTING


def test_tick__steady_between_failures__never_gives_up() -> None:
    machine = Machine()
    now = 0.0
    for _ in range(2 * FAILURES_IN_A_ROW_MAX):
        machine.make_ready(now)
        now += STEADY_S + 1
        machine.ward.tick(now)
        machine.die()
        machine.ward.tick(now)
        now += BACKOFF_S_MAX

    assert machine.ward.state == State.RESTARTING


def test_tick__preparing_fails__counts_as_a_failure_with_its_reason() -> None:
    machine = Machine()

    def refuse() -> None:
        raise UnavailableError("The disk is full.")

    machine.prepare = refuse
    machine.ward.tick(0.0)

    assert machine.ward.state == State.RESTARTING
    assert machine.ward.reason == "The disk is full."
    assert machine.processes == []
