"""Calls Triton directly, without Kafka or a job: what the job's figures are compared with."""

import asyncio
import time

from distributary.inference.metrics import Metrics
from distributary.inference.nodes import Prompt
from transforms.triton_node import TritonNode

MODEL = "simulated"
TEXT = "<|im_start|>user\nQuestion 1: what branches off a river?<|im_end|>\n"
DEADLINE_S = 60.0


def prompts(count: int) -> list[Prompt]:
    """Prompts with ids of their own."""
    return [Prompt(str(number), TEXT, 64) for number in range(count)]


async def capacity_per_s(address: str, batch: int, in_flight: int, count: int) -> float:
    """Answers per second with so many batches of one size always in flight."""
    node = TritonNode("direct", address, Metrics().triton_s)
    left = count

    async def keep_busy() -> None:
        nonlocal left
        while left > 0:
            left -= batch
            await node.generate(MODEL, prompts(batch), DEADLINE_S)

    await node.generate(MODEL, prompts(batch), DEADLINE_S)
    began = time.monotonic()
    await asyncio.gather(*(keep_busy() for _ in range(in_flight)))
    per_s = count / (time.monotonic() - began)
    await node.close()
    return per_s


def best_capacity(address: str, count: int) -> tuple[float, int, int]:
    """The best of several batch sizes and concurrencies: answers/s, batch, batches in flight."""
    tried = ((64, 4), (64, 8), (64, 12), (32, 16))
    found = [
        (asyncio.run(capacity_per_s(address, batch, in_flight, count)), batch, in_flight)
        for batch, in_flight in tried
    ]
    return max(found)


async def latencies_s(address: str, count: int, per_s: float) -> list[float]:
    """Durations of single requests sent at a rate, seconds; open loop."""
    node = TritonNode("direct", address, Metrics().triton_s)
    durations: list[float] = []

    async def one(at: float, prompt: Prompt) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        began = time.monotonic()
        await node.generate(MODEL, [prompt], DEADLINE_S)
        durations.append(time.monotonic() - began)

    began = time.monotonic()
    await asyncio.gather(*(one(began + n / per_s, p) for n, p in enumerate(prompts(count))))
    await node.close()
    return durations
