"""A double of the model `attribute`, with knobs in files of its lake folder."""

import json
import os
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

TENTH = 10**8
WHOLE = 10**9


class TritonPythonModel:
    """`LAKE/no-index` makes every item fail; an answer "refuse me" fails alone."""

    def initialize(self, args):
        self.lake = Path(os.environ["DISTRIBUTARY_LAKE"])

    def execute(self, requests):
        return [self.respond(request) for request in requests]

    def respond(self, request):
        names = ("ITEM", "ANSWER", "PASSAGES")
        columns = [pb_utils.get_input_tensor_by_name(request, n).as_numpy()[:, 0] for n in names]
        if b"break the batch" in columns[1]:
            raise RuntimeError("this batch cannot be attributed")
        pairs = [(item, *self.weigh(a, p)) for item, a, p in zip(*columns, strict=True)]
        tensors = [
            pb_utils.Tensor(name, np.array([p[i] for p in pairs], dtype=np.object_).reshape(-1, 1))
            for i, name in enumerate(("ITEM", "WEIGHTS", "ERROR"))
        ]
        return pb_utils.InferenceResponse(tensors)

    def weigh(self, answer, passages):
        if (self.lake / "no-index").exists():
            return b"", b"index_unavailable: taken away by the test"
        if answer == b"refuse me":
            return b"", b"bad_item: as asked"
        documents = sorted({passage["document"] for passage in json.loads(passages)})
        weights = [[document, TENTH] for document in documents]
        written = {
            "method": "spans-1",
            "weights": weights,
            "commons": WHOLE - TENTH * len(weights),
        }
        return json.dumps(written).encode(), b""
