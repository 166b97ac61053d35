"""Which copies registration finds, and which honest texts it would refuse.

    python -m benchmarks.bench_copies [--data FILE]

On XQuAD's 240 English paragraphs, each with an owner of its own, and no model. Thresholds were
fitted on the documents with an even SHA-256 and are reported on both halves. JSON.
"""

import argparse
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.attack_documents import replaced, sentences
from benchmarks.attack_market import Owned, Registry, register
from benchmarks.bench_attacks import DATA, read_data
from distributary.canonical import sha256_hex

EDITS_PERCENT = (10, 20, 30, 40, 50, 60)
QUOTED_PERCENT = (10, 20, 25)
TRIES = 3


def refused_percent(originals: Sequence[Owned], texts: Sequence[str]) -> float:
    """How many of the texts are refused, each judged alone, after the originals."""
    registry = Registry()
    for original in originals:
        registry.add(original)
    refused = sum(registry.refuses(Owned("attacker", text)) for text in texts)
    return round(100 * refused / len(texts), 1)


def quoting(own: str, other: str, percent: int, rng: random.Random) -> str:
    """A text of which so much is one quotation of another."""
    mine, theirs = own.split(), other.split()
    length = round(len(mine) * percent / (100 - percent))
    start, place = rng.randrange(max(1, len(theirs) - length)), rng.randrange(len(mine))
    return " ".join([*mine[:place], *theirs[start : start + length], *mine[place:]])


def figures(originals: Sequence[Owned], others: Sequence[Owned]) -> dict[str, Any]:
    """The figures of one half; the other half's texts are what honest critics write."""
    rng = random.Random(7)
    words = [word for one in [*originals, *others] for word in one.text.split()]

    def each(change: Callable[[str], str]) -> list[str]:
        return [change(one.text) for one in originals for _ in range(TRIES)]

    def edited(percent: int) -> Callable[[str], str]:
        return lambda text: replaced(text, percent / 100, rng, words)

    said = [sentence for one in originals for sentence in sentences(one.text)]
    kept, refused = register(originals)
    return {
        "documents": len(originals),
        "honest_refused": len(refused),
        "replaced_words_found_percent": {
            share: refused_percent(kept, each(edited(share))) for share in EDITS_PERCENT
        },
        "single_sentences_found_percent": refused_percent(kept, said),
        "eight_sentences_of_eight_found_percent": refused_percent(
            kept, [" ".join(rng.sample(said, 8)) for _ in range(100)]
        ),
        "critics_refused_percent_by_share_quoted": {
            share: refused_percent(
                kept, [quoting(one.text, rng.choice(kept).text, share, rng) for one in others]
            )
            for share in QUOTED_PERCENT
        },
    }


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="xquad.en.json")
    data = parser.parse_args().data
    if not data.exists():
        print(json.dumps({"skipped": f"no file {data}: give XQuAD's by --data"}))
        return
    documents, _ = read_data(data)
    halves = [
        [one for one in documents if int(sha256_hex(one.text.encode()), 16) % 2 == odd]
        for odd in (0, 1)
    ]
    print(
        json.dumps(
            {
                "all_240": {"honest_refused": len(register(documents)[1])},
                "fitted_on": figures(halves[0], halves[1]),
                "reported": figures(halves[1], halves[0]),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
