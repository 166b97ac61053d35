"""A double that answers `SIZE: PROMPT`, and fails as words in the prompts tell it.

SIZE is how many prompts were in the batch.

[error]    that item gets an error
[foreign]  that item is answered under another request's id
[short]    the batch comes back without its last item
[swap]     the batch comes back in reverse
[fail]     the whole batch fails
[slow]     the batch takes a second
[hang]     the batch takes ten minutes
"""

import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

SLOW_S, HANG_S = 1.0, 600.0
Row = tuple[bytes, bytes, bytes]


def _column(request: Any, name: str) -> list[bytes]:
    return list(pb_utils.get_input_tensor_by_name(request, name).as_numpy()[:, 0])


def _row(request_id: bytes, prompt: bytes, size: int) -> Row:
    if b"[error]" in prompt:
        return request_id, b"", b"asked_to_fail: The prompt says so."
    if b"[foreign]" in prompt:
        request_id = b"foreign"
    return request_id, b"%d: %s" % (size, prompt), b""


def _misbehave(everything: bytes) -> None:
    if b"[fail]" in everything:
        raise RuntimeError("The prompt says so.")
    time.sleep(HANG_S if b"[hang]" in everything else SLOW_S if b"[slow]" in everything else 0)


class TritonPythonModel:
    """Answers one request at a time."""

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers, or does what the prompts ask for."""
        return [self._response(request) for request in requests]

    def _response(self, request: Any) -> Any:
        prompts = _column(request, "PROMPT")
        everything = b" ".join(prompts)
        _misbehave(everything)
        pairs = zip(_column(request, "REQUEST_ID"), prompts, strict=True)
        rows = [_row(*pair, len(prompts)) for pair in pairs]
        if b"[short]" in everything:
            rows.pop()
        if b"[swap]" in everything:
            rows.reverse()
        names = ("REQUEST_ID", "TEXT", "ERROR")
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, np.array([r[i] for r in rows], np.object_).reshape(-1, 1))
                for i, name in enumerate(names)
            ]
        )
