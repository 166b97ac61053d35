"""What cheats earn: attacks on attribution, without and with the controls at registration.

    python -m benchmarks.bench_attacks [--data FILE] [--questions N] [--answers FILE]

Each of XQuAD's 240 English paragraphs is a document with an owner of its own. Questions are those
about the documents with an odd SHA-256, the half on which no threshold was fitted; the others of
the same documents are the cheats' past questions. Retrieval, prompts, model (on a Triton of its
own) and attribution are the product's. Answers are kept by prompt, so that an attack costs as many
as it changes passages; `--answers` keeps them for the next run too. JSON; progress on stderr.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Histogram

from benchmarks.attack_market import ANSWER_TOKENS, Market, Owned
from benchmarks.attack_report import report
from distributary.attribution.method import Corpus
from distributary.attribution.reader import Index
from distributary.canonical import sha256_hex
from distributary.datanets.opening import attribution_builder
from distributary.inference.nodes import Prompt
from distributary.settings import load_settings
from distributary.stack.local import LocalStack
from distributary.stack.server import quiet
from distributary.tokens import default_counter
from transforms.triton_node import TritonNode

DATA = Path(__file__).parents[2] / "shared" / "data" / "xquad.en.json"
AT_ONCE = 8
TIMEOUT_S = 600.0


class Model:
    """SmolLM2 behind Triton, with the answers that it has given."""

    def __init__(self, address: str, kept: Path | None) -> None:
        self._address = address
        self._kept = kept
        self._answers: dict[str, str] = {}
        if kept and kept.exists():
            self._answers = dict(map(json.loads, kept.read_text().splitlines()))

    def answer(self, prompts: Sequence[str]) -> list[str]:
        """The answers to prompts; those not known yet are generated."""
        new = [one for one in dict.fromkeys(prompts) if one not in self._answers]
        if new:
            print(f"{len(new)} of {len(prompts)} answers to generate", file=sys.stderr)
            asyncio.run(self._generate(new))
        return [self._answers[one] for one in prompts]

    async def _generate(self, prompts: Sequence[str]) -> None:
        seconds = Histogram("s", "s", ["node"], registry=CollectorRegistry())
        node = TritonNode("local", self._address, seconds)
        free = asyncio.Semaphore(AT_ONCE)

        async def one(prompt: str) -> None:
            async with free:
                asked = [Prompt("1", prompt, ANSWER_TOKENS)]
                _, (completion,) = await node.generate("generate", asked, TIMEOUT_S)
            if completion.error:
                raise RuntimeError(completion.error)
            self._answers[prompt] = completion.text
            with self._kept.open("a") if self._kept else nullcontext() as stream:
                if stream:
                    print(json.dumps([prompt, completion.text]), file=stream)

        try:
            await asyncio.gather(*map(one, prompts))
        finally:
            await node.close()


def read_data(data: Path) -> tuple[list[Owned], dict[str, list[str]]]:
    """The documents, and the questions by owner."""
    documents: list[Owned] = []
    questions: dict[str, list[str]] = {}
    for article in json.loads(data.read_text())["data"]:
        for paragraph in article["paragraphs"]:
            owner = f"author {len(documents)}"
            documents.append(Owned(owner, paragraph["context"]))
            questions[owner] = [asked["question"] for asked in paragraph["qas"]]
    return documents, questions


def part(
    documents: Sequence[Owned], questions: dict[str, list[str]], count: int
) -> tuple[list[str], dict[str, list[str]]]:
    """The questions that are asked now, of the reporting half, and all others as past ones."""
    held_out = [
        (one.owner, question)
        for one in documents
        if int(sha256_hex(one.text.encode()), 16) % 2
        for question in questions[one.owner]
    ]
    asked = random.Random(5).sample(held_out, min(count, len(held_out)))
    now = set(asked)
    past = {
        owner: [question for question in each if (owner, question) not in now]
        for owner, each in questions.items()
    }
    return [question for _, question in asked], past


def run(data: Path, count: int, kept: Path | None) -> dict[str, Any]:
    """All figures, on a Triton of its own."""
    documents, questions = read_data(data)
    asked, past = part(documents, questions, count)
    cache = load_settings().cache
    build = attribution_builder(cache, quiet)
    with tempfile.TemporaryDirectory() as home, LocalStack(Path(home), ("triton",), cache) as stack:
        folder = Path(home) / "indexes"
        folder.mkdir()

        def open_corpus(ordered: list[tuple[str, str]]) -> Corpus:
            out = Path(tempfile.mkdtemp(dir=folder)) / "index"
            build(ordered, out, "0" * 64)
            return Index.open(out, "0" * 64)

        model = Model(str(stack.settings.triton).split(",")[0].rpartition("=")[2], kept)
        return report(Market(asked, model.answer, open_corpus, default_counter()), documents, past)


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="xquad.en.json")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--answers", type=Path, help="Where answers are kept by prompt.")
    given = parser.parse_args()
    if not given.data.exists():
        print(json.dumps({"skipped": f"no file {given.data}: give XQuAD's by --data"}))
        return
    figures = run(given.data, given.questions, given.answers)
    print(json.dumps({"load": round(os.getloadavg()[0], 1), **figures}, indent=2))


if __name__ == "__main__":
    main()
