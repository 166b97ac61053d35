"""Calls of a Triton model as the jobs make them: plain unary inference over gRPC."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferResult

Columns = dict[str, list[bytes]]
TIMEOUT_S = 240.0


def generate_columns(prompts: dict[bytes, bytes], tokens_max: int = 8) -> Columns:
    return {
        "REQUEST_ID": list(prompts),
        "PROMPT": list(prompts.values()),
        "MAX_TOKENS": [b"%d" % tokens_max] * len(prompts),
    }


def _inputs(columns: Columns) -> list[InferInput]:
    inputs = []
    for name, column in columns.items():
        is_number = name == "MAX_TOKENS"
        dtype = np.int32 if is_number else np.object_
        values = np.array([int(v) for v in column] if is_number else column, dtype=dtype)
        tensor = InferInput(name, [len(column), 1], "INT32" if is_number else "BYTES")
        tensor.set_data_from_numpy(values.reshape(-1, 1))
        inputs.append(tensor)
    return inputs


class Calls:
    """One connection."""

    def __init__(self, client: InferenceServerClient) -> None:
        self._client = client

    def start(self, model: str, columns: Columns) -> tuple[Future[Columns], object]:
        """Starts a call; the second part of what it returns has `cancel()`."""
        future: Future[Columns] = Future()

        def done(result: InferResult | None, error: Exception | None) -> None:
            if error is not None or result is None:
                future.set_exception(error or RuntimeError("neither result nor error"))
                return
            outputs = result.get_response().outputs
            future.set_result({o.name: list(result.as_numpy(o.name)[:, 0]) for o in outputs})

        return future, self._client.async_infer(model, _inputs(columns), callback=done)

    def call(self, model: str, columns: Columns) -> Columns:
        return self.start(model, columns)[0].result(TIMEOUT_S)

    def generate(self, model: str, prompts: dict[bytes, bytes], tokens_max: int = 8) -> Columns:
        return self.call(model, generate_columns(prompts, tokens_max))


@contextmanager
def connect(address: str) -> Iterator[Calls]:
    with InferenceServerClient(address) as client:
        yield Calls(client)
