"""The schedule: lineage from topic to root, and a gate that blocks what comes after."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from orchestration.settlement.stops import StopError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def dg():
    return pytest.importorskip("dagster")


@pytest.fixture
def definitions(dg):
    from orchestration import definitions

    return definitions


class Settling:
    """A settlement that says what it was asked to do."""

    def __init__(self, stop: StopError | None = None) -> None:
        self.done: list[str] = []
        self.stop = stop
        self.report = SimpleNamespace(committed=[1], bound=[], refused=[], active=[1], waiting={})

    def begin(self) -> None:
        self.done.append("begin")

    def commit_epochs(self) -> None:
        self.done.append("commit")

    def bind_owners(self) -> None:
        self.done.append("bind")

    def compute(self) -> SimpleNamespace:
        if self.stop:
            raise self.stop
        self.done.append("compute")
        return SimpleNamespace(posting_id=1)

    def finish(self) -> None:
        self.done.append("finish")


def materialize(dg, definitions, monkeypatch, settling: Settling):
    @contextmanager
    def opened(_settings):
        yield settling

    monkeypatch.setattr(definitions.running, "open_settlement", opened)
    assets = [definitions.committed_epochs, definitions.computed_posting, definitions.active_root]
    return dg.materialize(assets, raise_on_error=False)


def test_run__gate_passes__goes_on_to_the_root(dg, definitions, monkeypatch):
    settling = Settling()
    assert materialize(dg, definitions, monkeypatch, settling).success
    assert settling.done == ["begin", "commit", "bind", "begin", "compute", "begin", "finish"]


@pytest.mark.parametrize("code", ["gate_failed", "epoch_held"])
def test_run__gate_stops__nothing_is_posted(dg, definitions, monkeypatch, code):
    settling = Settling(StopError(code))
    result = materialize(dg, definitions, monkeypatch, settling)
    assert not result.success
    assert "finish" not in settling.done
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("gate", False)


def test_run__another_stop__fails_the_asset(dg, definitions, monkeypatch):
    settling = Settling(StopError("settler_busy"))
    assert not materialize(dg, definitions, monkeypatch, settling).success
    assert "finish" not in settling.done


def test_lineage__of_the_active_root__begins_at_the_topic(dg, definitions):
    graph = definitions.defs.resolve_asset_graph()
    above = {
        key.to_user_string() for key in graph.get_ancestor_asset_keys(dg.AssetKey("active_root"))
    }
    assert {"requests", "answers", "recorded_answers", "closed_epoch", "computed_posting"} <= above
