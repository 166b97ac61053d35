"""Whether a text is, in substance, made of earlier texts by other owners.

Each shingle belongs to the place in a document where it was first registered. A text is judged in
pieces of some hundred content words, so that a long text is no likelier to be found guilty by
chance than a short one, and a shingle counts only where a few more of its piece stem from the same
part of the same document: single ones are phrases that everybody uses.

A piece is an *edited copy* if a chain of matches runs through it: in the order of one original, at
its distances, in several separate places. Replacing words leaves that, and a quotation, a licence
or boiler-plate does not look like it. Such a piece counts whole; of any other, its matches count. A
text of which at least `TAKEN_PERCENT_MIN` counts is a copy.

The thresholds are fitted on one half of XQuAD (documents with an even SHA-256) and reported on the
other: see docs/benchmarks.md.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from distributary.datanets.shingles import Shingled

PIECE_SHINGLES: Final = 100
TAKEN_PERCENT_MIN: Final = 30
MATCHES_MIN: Final = 6
"""Of one part of one original, and in a chain; of a short piece, a third of its shingles and one.
The longest chain between two of the fitting half's honest texts is 2; of all 240, one pair of texts
that tell the same facts about one university reaches 6, and two others 4."""

SHORT_MATCHES_MIN: Final = 3
"""A phrase of three content words or fewer is nobody's."""

CHAIN_DRIFT_PERCENT_MAX: Final = 12
"""Content words, in percent of the piece, that two neighbours of a chain may be further apart in
one text than in the other: replaced words are not always replaced by content words."""

SEGMENTS: Final = 10
SEGMENTS_MIN: Final = 4
RUNS_MIN: Final = 3
RUN_GAP_MAX: Final = 3
"""Matches no further apart than this are one run: a quotation with a word changed is one."""


class Place(NamedTuple):
    """Where a shingle was first registered: document hash, its owner, number of the shingle."""

    document: str
    owner: str
    position: int


Matches = Mapping[int, Place]
"""What matches of a piece, by its position in the piece, ascending."""


@dataclass(frozen=True)
class Copied:
    """What makes a text a copy.

    Attributes:
        originals: (document, owner) that it was taken from, most of it first.
        percent: share of the text's shingles that are theirs, rounded down.
    """

    originals: tuple[tuple[str, str], ...]
    percent: int


def find_copied(text: Shingled, places: Mapping[int, Place], owner: str) -> Copied | None:
    """Judges a text; None if it is its owner's own.

    Args:
        text: the text's shingles.
        places: where those of them that are known were first registered.
        owner: whose text it is said to be. His earlier documents never count against him.
    """
    if text.whole is not None:
        return _find_short(text, text.whole, places, owner)
    taken = length = 0
    matched = Counter[tuple[str, str]]()
    for piece in _pieces(text.pairs):
        counted = _counted(_by_document(piece, places, owner), len(piece))
        length += len(piece)
        edited = any(_is_edited_copy(_chain(one, len(piece)), len(piece)) for one in counted)
        taken += len(piece) if edited else sum(map(len, counted))
        for matches in counted:
            matched.update((place.document, place.owner) for place in matches.values())
    if 100 * taken < TAKEN_PERCENT_MIN * length:
        return None
    originals = sorted(matched, key=lambda one: (-matched[one], one))
    return Copied(tuple(originals), 100 * matched.total() // length)


def _find_short(
    text: Shingled, whole: int, places: Mapping[int, Place], owner: str
) -> Copied | None:
    """A short text is a copy if it is one whole, or all its shingles are in one place of one."""
    place = places.get(whole)
    if place is not None and place.owner != owner:
        return Copied(((place.document, place.owner),), 100)
    found = _by_document(list(text.pairs), places, owner)
    within = [near for matches in found if len(near := _near(matches)) == len(text.pairs)]
    if len(text.pairs) < SHORT_MATCHES_MIN or not within:
        return None
    first = within[0][0]
    return Copied(((first.document, first.owner),), 100)


def _pieces(pairs: Sequence[int]) -> list[list[int]]:
    """The pieces of a text; what comes again in a piece says nothing more and is left out."""
    count = max(1, round(len(pairs) / PIECE_SHINGLES))
    bounds = [number * len(pairs) // count for number in range(count + 1)]
    return [list(dict.fromkeys(pairs[start:end])) for start, end in pairwise(bounds)]


def _by_document(
    piece: Sequence[int], places: Mapping[int, Place], owner: str
) -> list[dict[int, Place]]:
    by_document: dict[str, dict[int, Place]] = defaultdict(dict)
    for position, one in enumerate(piece):
        place = places.get(one)
        if place is not None and place.owner != owner:
            by_document[place.document][position] = place
    return list(by_document.values())


def _counted(found: Sequence[Matches], length: int) -> list[Matches]:
    """The matches of each original that count."""
    least = min(MATCHES_MIN, 1 + -(-TAKEN_PERCENT_MIN * length // 100))
    return [near for matches in found if len(near := _near(matches)) >= least]


def _near(matches: Matches) -> Matches:
    """Those in the two neighbouring pieces of the original that have most; the first on a tie."""
    counts = Counter(place.position // PIECE_SHINGLES for place in matches.values())
    first = max(sorted(counts), key=lambda piece: counts[piece] + counts[piece + 1])
    return {
        position: place
        for position, place in matches.items()
        if place.position // PIECE_SHINGLES in (first, first + 1)
    }


def _chain(matches: Matches, length: int) -> list[int]:
    """Positions of the longest chain of matches in the original's order and at its distances."""
    drift = CHAIN_DRIFT_PERCENT_MAX * length // 100
    chains: list[tuple[int, int, list[int]]] = []
    for here, place in matches.items():
        before = max(
            (
                chain
                for at, there, chain in chains
                if _follows(here - at, place.position - there, drift)
            ),
            key=len,
            default=[],
        )
        chains.append((here, place.position, [*before, here]))
    return max((chain for _, _, chain in chains), key=len, default=[])


def _follows(here: int, there: int, drift: int) -> bool:
    return there > 0 and abs(here - there) <= drift


def _is_edited_copy(chain: Sequence[int], length: int) -> bool:
    segments = {position * SEGMENTS // length for position in chain}
    runs = 1 + sum(after - before > RUN_GAP_MAX for before, after in pairwise(chain))
    return len(chain) >= MATCHES_MIN and len(segments) >= SEGMENTS_MIN and runs >= RUNS_MIN
