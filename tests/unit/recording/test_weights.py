"""Weights as they come from the model `attribute`."""

import json
from typing import Any

import pytest

from distributary.errors import InputError, UnavailableError
from distributary.recording.weights import Reply, make_question, needs_weights, read_reply
from tests.signed_answers import DOCUMENTS, Customer, judge, record

GOOD = {"method": "m", "commons": 10**9 - 3, "weights": [[DOCUMENTS[0], 1], [DOCUMENTS[1], 2]]}


def reply(**changes: Any) -> Reply:
    return Reply(json.dumps(GOOD | changes), "")


def test_read_reply__good__gives_weights_in_order() -> None:
    weights = read_reply(reply())
    assert weights.documents == ((DOCUMENTS[0], 1), (DOCUMENTS[1], 2))
    assert (weights.method, weights.commons) == ("m", 10**9 - 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"commons": 10**9},
        {"commons": 10.0**9 - 3},
        {"commons": -1},
        {"weights": [[DOCUMENTS[1], 2], [DOCUMENTS[0], 1]]},
        {"weights": [[DOCUMENTS[0], 1], [DOCUMENTS[0], 2]]},
        {"weights": [[DOCUMENTS[0], 3.0]]},
        {"weights": [[DOCUMENTS[0], True], [DOCUMENTS[1], 2]]},
        {"weights": [[DOCUMENTS[0], 0], [DOCUMENTS[1], 3]]},
        {"weights": [[DOCUMENTS[0]]]},
        {"weights": None},
        {"weights": [[f"{n:064x}", 1] for n in range(1025)], "commons": 10**9 - 1025},
    ],
    ids=str,
)
def test_read_reply__weights_that_cannot_be_paid_by__are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read_reply(reply(**changes))


def test_read_reply__no_index__says_that_nothing_may_be_committed() -> None:
    with pytest.raises(UnavailableError) as raised:
        read_reply(Reply("", "index_unavailable: being built"))
    assert raised.value.code == "index_unavailable"


def test_read_reply__item_refused__is_not_attributed() -> None:
    with pytest.raises(InputError) as raised:
        read_reply(Reply("", "bad_item: too odd"))
    assert raised.value.code == "not_attributed"


def test_needs_weights__uncharged_or_without_datanet__asks_nothing() -> None:
    customer = Customer()
    asked = {
        name: needs_weights(judge().judge(record(0, answer), answer))
        for name, answer in {
            "charged": customer.answer(0),
            "refused": customer.refused(0),
            "no datanet": customer.answer(0, datanet=None, manifest_hash=None, passages=None),
        }.items()
    }
    assert asked == {"charged": True, "refused": False, "no datanet": False}


def test_make_question__passages__come_with_their_texts_in_the_order_shown() -> None:
    answer = Customer().answer(0, passages=[DOCUMENTS[2], DOCUMENTS[0]])
    question = make_question(
        judge().judge(record(0, answer), answer), {DOCUMENTS[0]: "zero", DOCUMENTS[2]: "two"}
    )
    assert json.loads(question.passages) == [
        {"document": DOCUMENTS[2], "text": "two"},
        {"document": DOCUMENTS[0], "text": "zero"},
    ]
