"""The model `simulated`: a stated service time with batching, for load tests."""

import os
import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from distributary.errors import InputError
from distributary.models import service_s, simulated_text


def _texts(prompts: list[bytes], tokens_max: list[int]) -> tuple[list[bytes], list[bytes]]:
    texts: list[bytes] = []
    errors: list[bytes] = []
    for prompt, count in zip(prompts, tokens_max, strict=True):
        try:
            texts.append(simulated_text(prompt, count))
            errors.append(b"")
        except InputError as error:
            texts.append(b"")
            errors.append(f"{error.code}: {error.sentence}".encode())
    return texts, errors


class TritonPythonModel:
    """Sleeps `base_ms + items * per_item_us`, then answers with a function of the prompt.

    One instance serves one batch at a time, so the number of instances is the number of batches
    in flight; Triton's dynamic batcher joins small requests while all of them are busy.
    """

    def initialize(self, args: dict[str, str]) -> None:
        """Reads the service time from the model's configuration and the environment."""
        config = pb_utils.get_model_config(args)["parameters"] if False else None
        del config
