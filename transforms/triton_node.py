"""A node as Triton serves it: one gRPC call per batch, with a deadline."""

import asyncio
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tritonclient.grpc.aio as triton
from prometheus_client import Histogram
from tritonclient.utils import InferenceServerException

from distributary.inference.nodes import Completion, NodeBusyError, NodeRefusedError, Prompt

# Codes that say nothing against the batch: the node is away, restarting, full or slow.
BUSY = frozenset(
    f"StatusCode.{code}"
    for code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED")
)
TIMEOUT_S_MIN = 0.001
# No 256 tokens are longer, and an answer must fit into its topic whatever a node returns.
TEXT_BYTES_MAX = 65_536
VERSION_CHARACTERS_MAX = 63
OUTPUTS = ("REQUEST_ID", "TEXT", "ERROR")
_CHANNEL = [
    # Without a ceiling gRPC waits up to two minutes before it tries a restarted server again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


class TritonNode:
    """One Triton server; make and use it on one event loop."""

    def __init__(self, name: str, address: str, seconds: Histogram) -> None:
        self.name = name
        self._client = triton.InferenceServerClient(address, channel_args=_CHANNEL)
        self._seconds = seconds.labels(name)

    async def generate(
        self, triton_model: str, prompts: Sequence[Prompt], timeout_s: float
    ) -> tuple[str, list[Completion]]:
        """Runs one batch; see `distributary.inference.nodes.Node`."""
        started = time.monotonic()
        try:
            result = await self._client.infer(
                triton_model, _inputs(prompts), client_timeout=max(timeout_s, TIMEOUT_S_MIN)
            )
        except InferenceServerException as error:
            kind = NodeBusyError if error.status() in BUSY else NodeRefusedError
            raise kind(str(error.message())[:300]) from error
        except (asyncio.CancelledError, OSError) as error:
            if isinstance(error, OSError):
                raise NodeBusyError(str(error)) from error
            raise
        finally:
            self._seconds.observe(time.monotonic() - started)
        version = str(result.get_response().model_version)[:VERSION_CHARACTERS_MAX]
        return version, _completions(result)

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.close()


def _tensor(name: str, values: list[Any], dtype: str) -> triton.InferInput:
    array = np.array(values, dtype=np.object_ if dtype == "BYTES" else np.int32)
    tensor = triton.InferInput(name, [len(values), 1], dtype)
    tensor.set_data_from_numpy(array.reshape(-1, 1))
    return tensor


def _inputs(prompts: Sequence[Prompt]) -> list[triton.InferInput]:
    return [
        _tensor("REQUEST_ID", [p.id.encode() for p in prompts], "BYTES"),
        _tensor("PROMPT", [p.prompt.encode() for p in prompts], "BYTES"),
        _tensor("MAX_TOKENS", [p.max_tokens for p in prompts], "INT32"),
    ]


def _completions(result: Any) -> list[Completion]:
    """Reads what came back; a short or damaged tensor leaves its requests without a result."""
    try:
        columns = [result.as_numpy(name).reshape(-1) for name in OUTPUTS]
        return [_completion(*row) for row in zip(*columns, strict=False)]
    except (AttributeError, TypeError, ValueError, struct.error, InferenceServerException):
        return []


def _completion(request_id: bytes, text: bytes, error: bytes) -> Completion:
    if len(text) > TEXT_BYTES_MAX:
        error = b"The node returned a text that is too long."
    return Completion(_text(request_id), _text(text[:TEXT_BYTES_MAX]), _text(error))


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")
