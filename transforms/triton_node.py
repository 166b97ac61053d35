"""A node as Triton serves it: one gRPC call per batch, with a deadline."""

import struct
import time
from collections.abc import Iterable, Sequence
from typing import Any

import grpc
from prometheus_client import Histogram
from tritonclient.grpc import service_pb2, service_pb2_grpc

from distributary.inference.nodes import Completion, NodeBusyError, NodeRefusedError, Prompt

# Codes that say nothing against the batch: the node is away, restarting, full or slow.
BUSY = frozenset(
    (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
    )
)
TIMEOUT_S_MIN = 0.001
# No 256 tokens are longer, and an answer must fit into its topic whatever a node returns.
TEXT_BYTES_MAX = 65_536
VERSION_CHARACTERS_MAX = 63
INPUTS = (("REQUEST_ID", "BYTES"), ("PROMPT", "BYTES"), ("MAX_TOKENS", "INT32"))
OUTPUTS = ("REQUEST_ID", "TEXT", "ERROR")
_LENGTH = struct.Struct("<I")
_CHANNEL = [
    # Without a ceiling gRPC waits up to two minutes before it tries a restarted server again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


class TritonNode:
    """One Triton server; make and use it on one event loop.

    It speaks by the generated stub: tritonclient's own client takes three times as long to write
    and read a batch, by way of numpy.
    """

    def __init__(self, name: str, address: str, seconds: Histogram) -> None:
        self.name = name
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._seconds = seconds.labels(name)

    async def generate(
        self, triton_model: str, prompts: Sequence[Prompt], timeout_s: float
    ) -> tuple[str, list[Completion]]:
        """Runs one batch; see `distributary.inference.nodes.Node`."""
        started = time.monotonic()
        request = _request(triton_model, prompts)
        try:
            response = await self._stub.ModelInfer(request, timeout=max(timeout_s, TIMEOUT_S_MIN))
        except grpc.aio.AioRpcError as error:
            kind = NodeBusyError if error.code() in BUSY else NodeRefusedError
            raise kind(str(error.details())[:300]) from error
        except OSError as error:
            raise NodeBusyError(str(error)) from error
        finally:
            self._seconds.observe(time.monotonic() - started)
        return str(response.model_version)[:VERSION_CHARACTERS_MAX], _completions(response)

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()


def _request(triton_model: str, prompts: Sequence[Prompt]) -> Any:
    shape = (len(prompts), 1)
    tensor = service_pb2.ModelInferRequest.InferInputTensor
    return service_pb2.ModelInferRequest(
        model_name=triton_model,
        inputs=[tensor(name=name, datatype=kind, shape=shape) for name, kind in INPUTS],
        raw_input_contents=(
            _pack(prompt.id for prompt in prompts),
            _pack(prompt.prompt for prompt in prompts),
            struct.pack(f"<{len(prompts)}i", *(prompt.max_tokens for prompt in prompts)),
        ),
    )


def _pack(texts: Iterable[str]) -> bytes:
    """A BYTES tensor: each element after its length."""
    pieces: list[bytes] = []
    for text in texts:
        data = text.encode()
        pieces += (_LENGTH.pack(len(data)), data)
    return b"".join(pieces)


def _unpack(tensor: bytes) -> list[bytes]:
    """The elements of a BYTES tensor.

    Raises:
        struct.error, ValueError: it ends within an element.
    """
    elements, at = [], 0
    while at < len(tensor):
        (length,) = _LENGTH.unpack_from(tensor, at)
        at += _LENGTH.size + length
        elements.append(tensor[at - length : at])
    if at != len(tensor):
        raise ValueError("The tensor is cut off.")
    return elements


def _completions(response: Any) -> list[Completion]:
    """Reads what came back; a short or damaged tensor leaves its requests without a result."""
    names = [output.name for output in response.outputs]
    tensors = dict(zip(names, response.raw_output_contents, strict=False))
    try:
        columns = [_unpack(tensors[name]) for name in OUTPUTS]
    except (KeyError, ValueError, struct.error):
        return []
    return [_completion(*row) for row in zip(*columns, strict=False)]


def _completion(request_id: bytes, text: bytes, error: bytes) -> Completion:
    if len(text) > TEXT_BYTES_MAX:
        error = b"The node returned a text that is too long."
    return Completion(_text(request_id), _text(text[:TEXT_BYTES_MAX]), _text(error))


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")
