"""The model `simulated`: a stated service time with batching, for load tests."""

import json
import os
import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from distributary.errors import InputError
from distributary.models import simulated_service_ms, simulated_text


def _column(request: Any, name: str) -> list[Any]:
    return list(pb_utils.get_input_tensor_by_name(request, name).as_numpy()[:, 0])


def _answer(prompt: bytes, tokens_max: int) -> tuple[bytes, bytes]:
    try:
        return simulated_text(prompt.decode(), int(tokens_max)).encode(), b""
    except (InputError, UnicodeDecodeError) as error:
        return b"", f"bad_prompt: {error}".encode()


def _response(request: Any) -> Any:
    prompts, counts = _column(request, "PROMPT"), _column(request, "MAX_TOKENS")
    pairs = [_answer(*pair) for pair in zip(prompts, counts, strict=True)]
    columns = {
        "REQUEST_ID": _column(request, "REQUEST_ID"),
        "TEXT": [text for text, _ in pairs],
        "ERROR": [error for _, error in pairs],
    }
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor(name, np.array(column, dtype=np.object_).reshape(-1, 1))
            for name, column in columns.items()
        ]
    )


class TritonPythonModel:
    """Sleeps for the service time of the batch, then answers with a function of each prompt.

    An instance serves one batch at a time, so the number of instances is the number of batches
    in flight; Triton's dynamic batcher joins small requests while all of them are busy.
    """

    def initialize(self, args: dict[str, str]) -> None:
        """Reads the service time from the model's configuration and the environment."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._base_ms = float(
            os.environ.get("DISTRIBUTARY_SIMULATED_MS") or parameters["base_ms"]["string_value"]
        )
        self._per_item_us = float(parameters["per_item_us"]["string_value"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every item of every request, in order, after one service time."""
        started = time.monotonic()
        responses = [_response(request) for request in requests]
        items = sum(len(_column(request, "REQUEST_ID")) for request in requests)
        due = simulated_service_ms(self._base_ms, self._per_item_us, items) / 1_000
        time.sleep(max(0.0, started + due - time.monotonic()))
        return responses
