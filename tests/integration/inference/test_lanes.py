"""Lanes belong to the process, not to Beam's readers: adopted, opened again, committed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from distributary.errors import UnavailableError
from distributary.inference import engine as engine_module
from distributary.inference.engine import Engine
from distributary.inference.lane import LaneAddress
from pipelines.inference import GROUP, make_engine
from tests.counting import committed_offsets, end_offsets
from tests.inference_job import wait_until
from tests.integration.inference.conftest import Installation, install
from tests.node_server import answer_all, slow
from transforms import lanes
from transforms.lanes import LaneMark, LaneSource, register_engine

NAME = "lanes-under-test"


@pytest.fixture
def own(installation: Installation) -> Installation:
    """Fresh topics on the module's nodes."""
    made = install(installation.settings, installation.log.parent)
    triton = installation.environ["DISTRIBUTARY_TRITON"]
    settings = replace(made.settings, triton=triton, metrics_port_inference=0)
    for node in installation.nodes:
        node.behaviour = answer_all
    return replace(made, settings=settings, nodes=installation.nodes)


@pytest.fixture
def engine(own: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The engine in this process, as a worker of Beam has it."""
    monkeypatch.setattr(lanes, "_engines", {})
    monkeypatch.setattr(lanes, "_makers", {})
    made: list[Engine] = []

    def make() -> Engine:
        made.append(make_engine(own.settings))
        return made[0]

    register_engine(NAME, make)
    found = lanes.engine(NAME)
    yield found
    found.drain()
    for lane in list(found._lanes.values()):
        wait_until(lambda lane=lane: lane.drained or lane.failure, 30, "a lane does not end")


def address(own: Installation, partition: int = 0) -> LaneAddress:
    return LaneAddress(f"{own.prefix}inference.requests", partition, f"{own.prefix}{GROUP}")


def committed(own: Installation) -> int:
    place = address(own)
    return committed_offsets(own.settings.kafka, place.topic, place.group)[place.partition]


def ask(own: Installation, name: str, count: int) -> None:
    own.sender.ask(*(own.customer.request(f"{name}-{number}") for number in range(count)))


def test_create_reader__beam_makes_another_one__the_open_lane_is_adopted(
    own: Installation, engine: Engine
) -> None:
    source = LaneSource(NAME, address(own))
    first = source.create_reader(None, None)
    ask(own, "first", 10)
    wait_until(lambda: first.get_checkpoint_mark().offset == 10, 30, "not served")
    first.close()

    second = source.create_reader(None, LaneMark(NAME, address(own), 0))

    assert second._lane is first._lane
    ask(own, "second", 10)
    wait_until(lambda: second.get_checkpoint_mark().offset == 20, 30, "not served")
    assert own.books().executed_again == 0
    counts = 0
    while second.advance():
        counts += sum(second.get_current().values())
    assert counts == 20


def test_finalize_checkpoint__marks_in_any_order__commit_the_latest_and_never_go_back(
    own: Installation, engine: Engine
) -> None:
    reader = LaneSource(NAME, address(own)).create_reader(None, None)
    ask(own, "commit", 10)
    wait_until(lambda: reader.get_checkpoint_mark().offset == 10, 30, "not served")
    assert committed(own) < 0  # nothing is committed before Beam says that it is durable

    LaneMark(NAME, address(own), 7).finalize_checkpoint()
    LaneMark(NAME, address(own), 3).finalize_checkpoint()
    engine.lane(address(own), None).commit(0).result(30)
    assert committed(own) == 7
    LaneMark(NAME, address(own), 10).finalize_checkpoint()
    wait_until(lambda: committed(own) == 10, 30, "not committed")


def test_get_checkpoint_mark__a_request_is_still_running__stays_before_it(
    own: Installation, engine: Engine
) -> None:
    for node in own.nodes:
        node.behaviour = slow(1.5)
    reader = LaneSource(NAME, address(own)).create_reader(None, None)
    ask(own, "slow", 1)
    wait_until(lambda: any(node.calls for node in own.nodes), 30, "not asked")
    own.sender.send([(b"garbage", None)])
    wait_until(
        lambda: end_offsets(own.settings.kafka, f"{own.prefix}inference.dead")[0] == 1,
        30,
        "the record after it was not finished first",
    )
    assert reader.get_checkpoint_mark().offset == 0
    wait_until(lambda: reader.get_checkpoint_mark().offset == 2, 30, "not finished")


def test_create_reader__committed_offset_and_mark_differ__the_later_one_counts(
    own: Installation, engine: Engine
) -> None:
    reader = LaneSource(NAME, address(own, 1)).create_reader(None, LaneMark(NAME, address(own), 0))
    own.sender.ask(*(own.customer.request(str(n)) for n in range(3)), partition=1)
    own.sender.ask(*(own.customer.request(f"other-{n}") for n in range(5)), partition=0)
    wait_until(lambda: reader.get_checkpoint_mark().offset == 3, 30, "not served")

    later = LaneSource(NAME, address(own)).create_reader(None, LaneMark(NAME, address(own), 4))

    assert later.get_checkpoint_mark().offset in (4, 5)
    wait_until(lambda: later.get_checkpoint_mark().offset == 5, 30, "not served")
    assert len(own_answers(own)) == 4


def own_answers(own: Installation) -> list[tuple[int, int]]:
    from tests.counting import count

    return sorted(count(own.settings.kafka, own.prefix).answers)


def test_create_reader__position_is_beyond_the_topic__is_refused_by_name(
    own: Installation, engine: Engine
) -> None:
    with pytest.raises(UnavailableError) as lost:
        LaneSource(NAME, address(own)).create_reader(None, LaneMark(NAME, address(own), 99))
    assert lost.value.code == "position_lost"


def test_lane__runner_seems_to_have_left_and_comes_back__is_served_again_where_it_stopped(
    own: Installation, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "ABANDONED_S", 0.0)
    reader = LaneSource(NAME, address(own)).create_reader(None, None)
    left = reader._lane
    ask(own, "before", 5)
    wait_until(lambda: left.drained, 30, "an abandoned lane is not given up")
    assert committed(own) == left.position
    monkeypatch.setattr(engine_module, "ABANDONED_S", 60.0)
    ask(own, "after", 5)

    def caught_up() -> bool:
        reader.advance()
        return bool(reader.get_checkpoint_mark().offset == 10)

    wait_until(caught_up, 30, "the lane stays closed")
    books = own.books()
    assert books.executed_again == 0
    assert len(books.executed) == 10


def test_drain__records_in_flight__are_finished_and_committed_before_the_lane_ends(
    own: Installation, engine: Engine
) -> None:
    for node in own.nodes:
        node.behaviour = slow(0.5)
    reader = LaneSource(NAME, address(own)).create_reader(None, None)
    ask(own, "drained", 20)
    wait_until(lambda: reader._lane.ahead == 20, 30, "not read")

    engine.drain()
    wait_until(lambda: reader._lane.drained, 30, "not drained")

    assert committed(own) == 20
    assert not own.books().unanswered
    assert reader.advance()
    assert not reader.advance()
    assert reader.get_watermark().micros > 10**18  # the end of time: the runner ends the branch
