"""A drain that comes before Beam has asked for anything still ends the job."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from transforms import answers_source, lanes


class Drainable:
    """An engine or a job that notes whether it was drained."""

    def __init__(self) -> None:
        self.drained = 0

    def drain(self) -> None:
        self.drained += 1


@pytest.fixture(params=[lanes, answers_source], ids=["engines", "jobs"])
def registry(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Any, Any, Any]]:
    module: Any = request.param
    is_lanes = module is lanes
    monkeypatch.setattr(module, "_engines" if is_lanes else "_jobs", {})
    monkeypatch.setattr(module, "_makers", {})
    monkeypatch.setattr(module, "_draining", threading.Event())
    if is_lanes:
        yield lanes.register_engine, lanes.engine, lanes.drain_engines
    else:
        yield (
            answers_source.register_job,
            answers_source.recording_job,
            answers_source.drain_jobs,
        )


def test_drain__something_made_before__is_drained_once(registry: tuple[Any, Any, Any]) -> None:
    register, get, drain = registry
    register("x", Drainable)
    made = get("x")
    assert made.drained == 0
    drain()
    assert get("x") is made
    assert made.drained == 1


def test_drain__something_made_afterwards__is_drained_too(registry: tuple[Any, Any, Any]) -> None:
    register, get, drain = registry
    register("x", Drainable)
    drain()
    assert get("x").drained == 1
