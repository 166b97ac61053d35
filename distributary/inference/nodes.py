"""The nodes as the dispatcher sees them, and the choice of one."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

# A node that failed is left alone this long, unless all have failed; twice as long each time.
COOL_DOWN_S = 1.0
COOL_DOWN_S_MAX = 60.0


class Prompt(NamedTuple):
    """What a node is told of a request; `id` comes back with the text."""

    id: str
    prompt: str
    max_tokens: int


class Completion(NamedTuple):
    """What a node returns for a request: a text, or an error that is the request's own."""

    id: str
    text: str
    error: str


class NodeBusyError(Exception):
    """The node does not answer or takes no more now; another try may succeed."""


class NodeRefusedError(Exception):
    """The node refuses the batch as it is; some request in it is to blame."""


class Node(Protocol):
    """A Triton server run by an operator."""

    name: str

    async def generate(
        self, triton_model: str, prompts: Sequence[Prompt], timeout_s: float
    ) -> tuple[str, list[Completion]]:
        """Runs one batch.

        Returns:
            The version of the Triton model, and what came back, in any order.

        Raises:
            NodeBusyError: transient.
            NodeRefusedError: permanent for this batch.
        """
        ...


class Nodes:
    """Chooses the healthy node with the fewest requests in flight, by name among equals."""

    def __init__(self, nodes: Sequence[Node], clock: Callable[[], float] = time.monotonic) -> None:
        self._nodes = sorted(nodes, key=lambda node: node.name)
        self._in_flight = {node.name: 0 for node in nodes}
        self._down_until = {node.name: 0.0 for node in nodes}
        self._pause_s = {node.name: COOL_DOWN_S for node in nodes}
        self._clock = clock

    def pick(self) -> Node:
        """The node for the next batch; a failed one only where all have failed."""
        now = self._clock()
        return min(
            self._nodes,
            key=lambda n: (self._down_until[n.name] > now, self._in_flight[n.name]),
        )

    def started(self, node: Node, requests: int) -> None:
        """Notes requests given to a node."""
        self._in_flight[node.name] += requests

    def ended(self, node: Node, requests: int, *, healthy: bool) -> None:
        """Notes that a call ended.

        A node that hangs costs each batch its deadline, so it is tried less and less often. What
        else it had when it failed tells nothing new.
        """
        self._in_flight[node.name] -= requests
        if healthy:
            self._pause_s[node.name] = COOL_DOWN_S
        elif self._clock() >= self._down_until[node.name]:
            pause_s = self._pause_s[node.name]
            self._down_until[node.name] = self._clock() + pause_s
            self._pause_s[node.name] = min(2 * pause_s, COOL_DOWN_S_MAX)
