"""A double of a Triton node that speaks KServe v2 over gRPC, with knobs for what may go wrong."""

import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

PORT_KEPT = [("grpc.so_reuseport", 0)]


class Item(NamedTuple):
    """One request of a batch, or its result: `text` is the prompt on the way in."""

    id: str
    text: str
    error: str = ""


class AbortError(Exception):
    """The call fails with this gRPC status."""

    def __init__(self, code: grpc.StatusCode, message: str = "told to fail") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


Behaviour = Callable[[list[Item]], list[Item]]


def text_for(request_id: str) -> str:
    """What the double answers to the request of these coordinates."""
    return f"for {request_id}"


def answer_all(items: list[Item]) -> list[Item]:
    """One result for each, in order."""
    return [Item(item.id, text_for(item.id)) for item in items]


def times(count: int, first: Behaviour, then: Behaviour = answer_all) -> Behaviour:
    """Behaves in one way for some calls, then in another."""
    left = [count]

    def behave(items: list[Item]) -> list[Item]:
        left[0] -= 1
        return first(items) if left[0] >= 0 else then(items)

    return behave


def fail(code: grpc.StatusCode) -> Behaviour:
    """Fails every call."""

    def behave(items: list[Item]) -> list[Item]:
        raise AbortError(code)

    return behave


def slow(seconds: float, then: Behaviour = answer_all) -> Behaviour:
    """Takes its time."""

    def behave(items: list[Item]) -> list[Item]:
        time.sleep(seconds)
        return then(items)

    return behave


def _texts(data: bytes) -> list[str]:
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return found


def _bytes(values: list[str]) -> bytes:
    encoded = [value.encode() for value in values]
    return b"".join(struct.pack("<I", len(value)) + value for value in encoded)


class NodeServer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Serves any model; `behaviour` may be changed at any time, `calls` holds batches of ids."""

    def __init__(self, behaviour: Behaviour = answer_all, port: int = 0) -> None:
        self.behaviour = behaviour
        self.damage: Callable[[bytes], bytes] = lambda data: data
        self.calls: list[list[str]] = []
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(32, "node"), options=PORT_KEPT)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Breaks every call and listens no more."""
        self._server.stop(0).wait()

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - KServe's name
        """One batch."""
        columns = {
            tensor.name: data
            for tensor, data in zip(request.inputs, request.raw_input_contents, strict=True)
        }
        ids, prompts = _texts(columns["REQUEST_ID"]), _texts(columns["PROMPT"])
        with self._lock:
            self.calls.append(ids)
        try:
            results = self.behaviour([Item(*pair) for pair in zip(ids, prompts, strict=True)])
        except AbortError as abort:
            context.abort(abort.code, abort.message)
        return self._response(request.model_name, results)

    def _response(self, model: str, results: list[Item]) -> Any:
        response = service_pb2.ModelInferResponse(model_name=model, model_version="1")
        columns = {
            "REQUEST_ID": [item.id for item in results],
            "TEXT": [item.text for item in results],
            "ERROR": [item.error for item in results],
        }
        for name, values in columns.items():
            output = response.outputs.add()
            output.name, output.datatype = name, "BYTES"
            output.shape.extend([len(values), 1])
            response.raw_output_contents.append(self.damage(_bytes(values)))
        return response
