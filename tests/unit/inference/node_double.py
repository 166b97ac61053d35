"""A double of a node: it answers as it is told to, and remembers what it was asked."""

import asyncio
from collections.abc import Callable, Sequence

from distributary.inference.nodes import Completion, Prompt

Behaviour = Callable[[list[Prompt]], list[Completion]]


def answer(prompt: Prompt) -> Completion:
    """What a node should answer."""
    return Completion(prompt.id, f"text of {prompt.id}", "")


def answer_all(prompts: list[Prompt]) -> list[Completion]:
    """One completion for each, in order."""
    return [answer(prompt) for prompt in prompts]


class NodeDouble:
    """Knobs: `behaviours` are used one per call, the last one for ever; `hangs` never answers."""

    def __init__(self, name: str, *behaviours: Behaviour, hangs: bool = False) -> None:
        self.name = name
        self.calls: list[list[str]] = []
        self._behaviours = list(behaviours) or [answer_all]
        self._hangs = hangs

    async def generate(
        self, triton_model: str, prompts: Sequence[Prompt], timeout_s: float
    ) -> tuple[str, list[Completion]]:
        """As `distributary.inference.nodes.Node`."""
        self.calls.append([prompt.id for prompt in prompts])
        if self._hangs:
            await asyncio.sleep(3_600)
        await asyncio.sleep(0)
        behaviour = self._behaviours[0]
        if len(self._behaviours) > 1:
            del self._behaviours[0]
        return "1", behaviour(list(prompts))
