"""The double does what it says, or the tests that lean on it prove nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tritonclient.utils import InferenceServerException

from distributary.settings import load_settings
from distributary.stack.local import LocalStack
from tests.integration.triton_models.calls import Calls, connect

MODELS = Path(__file__).parent / "faulty_models"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    home = tmp_path_factory.mktemp("faulty")
    with (
        LocalStack(home, ("triton",), load_settings().cache, MODELS) as stack,
        connect(stack.settings.triton_trusted) as calls,
    ):
        yield calls


@pytest.mark.parametrize(
    ("knob", "ids", "errors"),
    [
        (b"", [b"a", b"b", b"c"], [b"", b"", b""]),
        (b"[slow]", [b"a", b"b", b"c"], [b"", b"", b""]),
        (b"[error]", [b"a", b"b", b"c"], [b"", b"asked_to_fail: The prompt says so.", b""]),
        (b"[foreign]", [b"a", b"foreign", b"c"], [b"", b"", b""]),
        (b"[short]", [b"a", b"b"], [b"", b""]),
        (b"[swap]", [b"c", b"b", b"a"], [b"", b"", b""]),
    ],
)
def test_faulty__knob_in_one_prompt__answers_as_stated(
    faulty: Calls, knob: bytes, ids: list[bytes], errors: list[bytes]
) -> None:
    made = faulty.generate("faulty", {b"a": b"one", b"b": b"two" + knob, b"c": b"three"})
    assert made["REQUEST_ID"] == ids
    assert made["ERROR"] == errors


def test_faulty__fail__the_whole_batch_fails(faulty: Calls) -> None:
    with pytest.raises(InferenceServerException, match="The prompt says so"):
        faulty.generate("faulty", {b"a": b"one", b"b": b"[fail]"})


def test_faulty__crash__the_call_fails_and_the_model_comes_back(faulty: Calls) -> None:
    with pytest.raises(InferenceServerException):
        faulty.generate("faulty", {b"a": b"[crash]"})
    assert faulty.generate("faulty", {b"a": b"one"})["TEXT"] == [b"echo: one"]
