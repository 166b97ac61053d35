"""What a worker process knows of the inference job's engine, and when a branch ends."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from apache_beam.utils.timestamp import MAX_TIMESTAMP

from distributary.inference.lane import LaneAddress
from transforms import lanes
from transforms.lanes import LaneSource, engine, register_engine

ADDRESS = LaneAddress("topic", 0, "group")


class EngineDouble:
    """Has one lane; `draining` as told."""

    def __init__(self, *, draining: bool, drained: bool) -> None:
        self.draining = draining
        self._lane = SimpleNamespace(drained=drained, failure=None)

    def lane(self, address: LaneAddress, mark: int | None) -> Any:
        return self._lane


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_engines", {})
    monkeypatch.setattr(lanes, "_makers", {})


def test_engine__worker_that_knows_none__imports_the_module_that_registers_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: Any = EngineDouble(draining=False, drained=False)
    monkeypatch.setattr(lanes, "import_module", lambda name: register_engine(name, lambda: made))

    assert engine("pipelines.inference") is made


def test_pipeline_module__imported__registers_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "pipelines.inference", raising=False)
    import pipelines.inference as module

    assert module.__name__ == module.ENGINE
    assert module.ENGINE in lanes._makers


@pytest.mark.parametrize(("draining", "ends"), [(True, True), (False, False)])
def test_get_watermark__drained_lane__ends_the_branch_only_where_the_engine_drains(
    draining: bool, ends: bool
) -> None:
    made: Any = EngineDouble(draining=draining, drained=True)
    register_engine("engine", lambda: made)
    reader = LaneSource("engine", ADDRESS).create_reader(None, None)

    assert (reader.get_watermark() == MAX_TIMESTAMP) is ends
