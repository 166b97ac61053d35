"""Triton runs our models, closed to others', and leaves nothing behind when it is killed."""

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput

from distributary.stack.endpoints import check_prism
from distributary.stack.files import read_json
from distributary.stack.local import LocalStack
from distributary.stack.process import session_members
from distributary.stack.server import HOST

CONFIG = """\
name: "probe"
backend: "python"
max_batch_size: 0
input [ { name: "NAME" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "VALUE" data_type: TYPE_STRING dims: [ 1 ] } ]
instance_group [ { count: 2 kind: KIND_AUTO } ]
"""

MODEL = """\
import os
import numpy as np
import triton_python_backend_utils as pb_utils
from distributary.errors import ExitCode

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            name = pb_utils.get_input_tensor_by_name(request, "NAME").as_numpy()[0].decode()
            value = str(int(ExitCode.GAVE_UP)) if name == "import" else os.environ.get(name, "")
            tensor = pb_utils.Tensor("VALUE", np.array([value.encode()], dtype=object))
            answers.append(pb_utils.InferenceResponse([tensor]))
        return answers
"""


@pytest.fixture
def probe_models(tmp_path: Path) -> Path:
    """A repository of one model that tells what it can see."""
    folder = tmp_path / "models" / "probe"
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(CONFIG)
    (folder / "1" / "model.py").write_text(MODEL)
    return folder.parent


def ask(address: str, name: str) -> str:
    """What the probe sees under `name`."""
    tensor = InferInput("NAME", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([name.encode()], dtype=object))
    with InferenceServerClient(address) as client:
        result = client.infer("probe", [tensor], client_timeout=30)
    return str(result.as_numpy("VALUE")[0].decode())


def test_triton__started__models_see_our_package_weights_lake_and_device(
    own_stack: Callable[..., LocalStack], probe_models: Path
) -> None:
    stack = own_stack("triton", models=probe_models)
    address = stack.settings.triton_trusted

    assert ask(address, "import") == "5"
    assert Path(ask(address, "DISTRIBUTARY_MODEL_FILE")).suffix == ".gguf"
    assert ask(address, "DISTRIBUTARY_LAKE") == str(stack.settings.lake_path)
    assert ask(address, "DISTRIBUTARY_DEVICE") in ("cpu", "gpu")
    assert stack.settings.nodes() == {"local": address}


def test_triton__killed__its_stubs_die_and_it_comes_back(
    own_stack: Callable[..., LocalStack], probe_models: Path
) -> None:
    stack = own_stack("triton", models=probe_models)
    first = stack.pid("triton")
    assert len(session_members(first)) == 3

    stack.kill("triton")

    assert session_members(first) == []
    stack.start("triton")
    assert ask(stack.settings.triton_trusted, "import") == "5"


def test_triton__asked_to_load_a_model__refuses(
    own_stack: Callable[..., LocalStack], probe_models: Path
) -> None:
    stack = own_stack("triton", models=probe_models)
    port = read_json(stack.settings.home / "ports.json")["triton_http"]
    request = urllib.request.Request(
        f"http://{HOST}:{port}/v2/repository/models/probe/load", data=b"{}", method="POST"
    )

    with pytest.raises(urllib.error.HTTPError, match=r"50\d|400"):
        urllib.request.urlopen(request, timeout=10)


def test_prism__fetched__starts(session_stack: LocalStack, prism: str) -> None:
    assert check_prism(session_stack.settings) == prism
