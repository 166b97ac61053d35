"""The model `attribute`: integer weights of an answer over documents (`spans-1`).

A shell around `distributary.attribution`, which says how. It opens the index that an item's
MANIFEST names, so a new manifest needs no restart and an old one is still attributed by its own
index.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from distributary.attribution.items import attribute_item
from distributary.attribution.reader import Indexes

INPUTS = ("ITEM", "ANSWER", "QUESTION", "PASSAGES", "DATANET", "MANIFEST")


def _tensor(name: str, column: list[bytes]) -> Any:
    return pb_utils.Tensor(name, np.array(column, dtype=np.object_).reshape(-1, 1))


class TritonPythonModel:
    """Attributes the items of each request one after the other."""

    def initialize(self, args: dict[str, str]) -> None:
        """Finds the lake; indexes are opened when an item names them."""
        del args
        self._indexes = Indexes(Path(os.environ["DISTRIBUTARY_LAKE"]))

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers every item of every request, by its id, with weights or an error."""
        return [self._response(request) for request in requests]

    def _response(self, request: Any) -> Any:
        ids, *columns = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy()[:, 0] for name in INPUTS
        )
        pairs = [attribute_item(self._indexes, *item) for item in zip(*columns, strict=True)]
        weights, errors = [w for w, _ in pairs], [e for _, e in pairs]
        named = {"ITEM": list(ids), "WEIGHTS": weights, "ERROR": errors}
        return pb_utils.InferenceResponse([_tensor(*column) for column in named.items()])
