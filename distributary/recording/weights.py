"""The weights of an answer: how they are asked for, and how they are read."""

import json
from dataclasses import dataclass
from typing import Any, Final

from distributary.attribution.weights import WHOLE
from distributary.errors import InputError, UnavailableError
from distributary.recording.records import Judged, Weights
from distributary.strict_json import parse_json

# More documents than this on one answer is a defect of the method: weights would say nothing.
DOCUMENTS_MAX: Final = 1_024
INDEX_UNAVAILABLE: Final = "index_unavailable"


@dataclass(frozen=True, slots=True)
class Question:
    """What the model `attribute` is asked about one answer; all text as it goes over the wire."""

    answer: str
    question: str
    passages: str
    datanet: str
    manifest_hash: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model `attribute` returned for one question: weights, or an error's text."""

    weights: str
    error: str


def needs_weights(judged: Judged) -> bool:
    """Whether an answer has a data share that documents can earn."""
    return judged.reason is None and judged.answer.manifest_hash is not None


def whole_to_commons(method: str) -> Weights:
    """The weights of an answer without a datanet."""
    return Weights(method, WHOLE, ())


def make_question(judged: Judged, texts: dict[str, str]) -> Question:
    """Asks for the weights of an answer; `texts` holds its passages by hash."""
    answer = judged.answer
    passages = [{"document": hash_, "text": texts[hash_]} for hash_ in answer.passages or ()]
    return Question(
        answer=answer.text or "",
        question=answer.prompt or "",
        passages=json.dumps(passages, ensure_ascii=False, separators=(",", ":")),
        datanet=answer.datanet or "",
        manifest_hash=answer.manifest_hash or "",
    )


def read_reply(reply: Reply) -> Weights:
    """Reads and checks the weights of one answer.

    Raises:
        UnavailableError: `index_unavailable`: nothing may be committed before the index is there.
        InputError: `not_attributed`: the model refused this answer; `bad_weights`: they do not
            sum to 10^9, or are not positive integers of distinct documents in order.
    """
    if reply.error.startswith(INDEX_UNAVAILABLE):
        raise UnavailableError(
            f"The attribution index is not available, so nothing is committed: {reply.error[:300]}",
            code=INDEX_UNAVAILABLE,
        )
    if reply.error:
        raise InputError(f"Not attributed: {reply.error[:200]}.", code="not_attributed")
    parsed = parse_json(reply.weights.encode())
    try:
        documents = tuple((str(hash_), weight) for hash_, weight in parsed["weights"])
        weights = Weights(str(parsed["method"]), parsed["commons"], documents)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"Not weights: {error!r}.", code="bad_weights") from error
    _check(weights)
    return weights


def _check(weights: Weights) -> None:
    values: list[Any] = [weight for _, weight in weights.documents]
    hashes = [hash_ for hash_, _ in weights.documents]
    if not all(type(value) is int and value > 0 for value in values):
        raise InputError("A weight is not a positive integer.", code="bad_weights")
    if type(weights.commons) is not int or weights.commons < 0:
        raise InputError("The commons are not a natural number.", code="bad_weights")
    if hashes != sorted(set(hashes)) or len(hashes) > DOCUMENTS_MAX:
        raise InputError("The documents are not in order, or too many.", code="bad_weights")
    if sum(values) + weights.commons != WHOLE:
        raise InputError("The weights do not sum to 10^9.", code="bad_weights")
