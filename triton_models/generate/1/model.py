"""The model `generate`: text by SmolLM2-135M-Instruct, greedy, continuously batched.

How each request is answered as soon as it is complete: `execute` takes the response sender of
each request (Triton allows it in default, not only decoupled mode since 2.48, python_backend
#364), hands the items to a thread pool and returns, so Triton calls it again at once. llama.cpp
decodes the items of all threads together in its slots. Callers use plain, unary `infer`; the
alternatives are worse: decoupled mode forces stream calls on them, several instances would each
load the weights or need a server of their own.

The node adds nothing to a prompt: no template, no truncation. Special tokens in it are parsed as
such, so trusted code must have escaped what users wrote (`distributary.prompts`).
"""

import json
import os
import secrets
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
import xllamacpp

CANCEL_CHECK_TOKENS = 8  # asking Triton costs a message between processes
_GREEDY = {"temperature": 0, "seed": 0, "cache_prompt": False, "stream": True}


class _ItemError(Exception):
    """An item that is answered with an error; its text is `code: sentence`."""


@dataclass
class _Job:
    """One Triton request of a few items, answered when its last item is done."""

    sender: Any
    request_ids: list[bytes]
    left: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    texts: dict[int, bytes] = field(default_factory=dict)
    errors: dict[int, bytes] = field(default_factory=dict)

    def finish(self, index: int, text: bytes, error: bytes) -> None:
        with self.lock:
            self.texts[index], self.errors[index] = text, error
            self.left -= 1
            complete = self.left == 0
        if complete:
            self.sender.send(self._response(), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _response(self) -> Any:
        if self.sender.is_cancelled():
            error = pb_utils.TritonError("The caller cancelled.", pb_utils.TritonError.CANCELLED)
            return pb_utils.InferenceResponse([], error)
        indices = range(len(self.request_ids))
        columns = {
            "REQUEST_ID": self.request_ids,
            "TEXT": [self.texts[i] for i in indices],
            "ERROR": [self.errors[i] for i in indices],
        }
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, np.array(column, dtype=np.object_).reshape(-1, 1))
                for name, column in columns.items()
            ]
        )


def _column(request: Any, name: str) -> list[Any]:
    return list(pb_utils.get_input_tensor_by_name(request, name).as_numpy()[:, 0])


def _llama(slots: int, context_tokens: int, *, on_gpu: bool) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = os.environ["DISTRIBUTARY_MODEL_FILE"]
    params.n_parallel = slots
    params.n_ctx = slots * context_tokens
    params.n_gpu_layers = -1 if on_gpu else 0
    # Its threads spin until all arrive, so a core that others use costs more than it brings: eight
    # prompts took 19-39 s with one thread beside busy neighbours on two cores, 49-75 s with two.
    params.cpuparams.n_threads = max(1, len(os.sched_getaffinity(0)) - 1)
    # One customer's cached prefix must not be measurable, nor change the text, of another's.
    params.cache_prompt = False
    params.cache_ram_mib = 0
    # The library always listens on a local port: nobody but this process may use it.
    params.api_keys = [secrets.token_hex(16)]
    params.endpoint_slots = False
    params.ui = False
    params.verbosity = 0
    return xllamacpp.Server(params)


class TritonPythonModel:
    """Loads the weights once and decodes up to `slots` prompts together."""

    def initialize(self, args: dict[str, str]) -> None:
        """Starts llama.cpp on the device of the instance group."""
        config = json.loads(args["model_config"])["parameters"]
        slots, self._context_tokens, in_flight_max = (
            int(config[name]["string_value"])
            for name in ("slots", "context_tokens", "in_flight_max")
        )
        on_gpu = args["model_instance_kind"] == "GPU"
        self._server = _llama(slots, self._context_tokens, on_gpu=on_gpu)
        self._pool = ThreadPoolExecutor(in_flight_max, thread_name_prefix="generate")
        self._free = threading.BoundedSemaphore(in_flight_max)

    def execute(self, requests: list[Any]) -> None:
        """Starts every item; waits while `in_flight_max` are running, so Triton queues the rest."""
        for request in requests:
            request_ids = _column(request, "REQUEST_ID")
            job = _Job(request.get_response_sender(), request_ids, left=len(request_ids))
            items = zip(_column(request, "PROMPT"), _column(request, "MAX_TOKENS"), strict=True)
            for index, (prompt, tokens_max) in enumerate(items):
                self._free.acquire()
                running = self._pool.submit(self._run, job, index, prompt, int(tokens_max))
                running.add_done_callback(self._release)

    def finalize(self) -> None:
        """Lets what runs complete."""
        self._pool.shutdown(wait=True)

    def _release(self, _: Future[None]) -> None:
        self._free.release()

    def _run(self, job: _Job, index: int, prompt: bytes, tokens_max: int) -> None:
        try:
            if job.sender.is_cancelled():
                raise _ItemError("cancelled: The caller no longer waits.")
            job.finish(index, self._generate(job, prompt, tokens_max).encode(), b"")
        except _ItemError as refusal:
            job.finish(index, b"", str(refusal).encode())
        except Exception as error:
            job.finish(index, b"", f"generation_failed: {error}".encode())

    def _generate(self, job: _Job, prompt: bytes, tokens_max: int) -> str:
        if not prompt or not 1 <= tokens_max <= self._context_tokens:
            raise _ItemError(
                f"bad_prompt: Send a prompt and 1 to {self._context_tokens} tokens to answer with."
            )
        try:
            text = prompt.decode()
        except UnicodeDecodeError as error:
            raise _ItemError(f"bad_prompt: {error}") from error
        failure: dict[str, Any] = {}
        pieces: list[str] = []

        def take(chunk: dict[str, Any]) -> bool:
            """Keeps a piece of text; true ends the generation."""
            if "error" in chunk:
                failure.update(chunk["error"])
                return True
            pieces.extend(choice["text"] for choice in chunk.get("choices", []))
            return len(pieces) % CANCEL_CHECK_TOKENS == 1 and bool(job.sender.is_cancelled())

        body = _GREEDY | {"prompt": text, "max_tokens": tokens_max}
        self._server.handle_completions(body, take)
        if failure:
            too_long = failure.get("type") == "exceed_context_size_error"
            code = "prompt_too_long" if too_long else "generation_failed"
            raise _ItemError(f"{code}: {failure.get('message', 'no reason given')}")
        return "".join(pieces)
