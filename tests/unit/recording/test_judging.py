"""Whether an answer is charged: every reason by name, and the types that are refused."""

from dataclasses import replace
from typing import Any

import pytest

from distributary.answers import Answer, Status
from distributary.identity import Domain
from distributary.recording.judging import read_record
from distributary.recording.records import Judged, Quarantined, Uncharged
from distributary.rules import Catalogue, load_catalogue
from tests.signed_answers import ADMITTED_AT_MS, Customer, charge_units, judge, record

EXPIRED = ADMITTED_AT_MS // 1000


def judged(answer: Answer, **changes: Any) -> Judged:
    return judge(**changes).judge(record(0, answer), answer)


def test_judge__good_answer__is_charged_and_buys() -> None:
    found = judged(Customer().answer(0))

    assert (found.reason, found.charge_units, found.buys) == (None, charge_units(100, 10), True)


@pytest.mark.parametrize(
    ("present", "data_bp"),
    [
        ({"adapter": "a", "agent": "b"}, 4000),
        ({"adapter": "a"}, 4500),
        ({"agent": "b"}, 4500),
        ({}, 5000),
    ],
)
def test_judge__absent_adapter_or_agent__gives_its_share_to_data(
    present: dict[str, str], data_bp: int
) -> None:
    assert judged(Customer().answer(0, **present)).data_bp == data_bp


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Customer().refused(0), Uncharged.REFUSED),
        (Customer().answer(0, status=Status.REPLAYED), Uncharged.REPLAYED),
    ],
)
def test_judge__not_executed__is_uncharged_and_buys_nothing(
    answer: Answer, reason: Uncharged
) -> None:
    found = judged(answer)
    assert (found.reason, found.charge_units, found.buys) == (reason, 0, False)
    assert found.data_bp == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "0x" + "b" * 40},
        {"id": "another"},
        {"source": "another"},
        {"body_hash": "0" * 64},
        {"max_charge_units": "1" + "0" * 30},
        {"max_charge_units": None},
        {"expires_at": EXPIRED + 7200},
        {"request_hash": "0" * 64},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_judge__signed_field_changed_afterwards__is_uncharged_and_buys_nothing(
    changes: dict[str, Any],
) -> None:
    found = judged(Customer().answer(0)._replace(**changes))
    assert (found.reason, found.buys) == (Uncharged.BAD_REQUEST_HASH, False)


def test_judge__signed_for_another_chain__is_uncharged() -> None:
    found = judged(Customer().answer(0), domain=Domain(1, "0x" + "0" * 40))
    assert found.reason is Uncharged.BAD_REQUEST_HASH


@pytest.mark.parametrize("name", ["key", "signature"])
def test_judge__signature_of_nobody__is_uncharged_and_buys_nothing(name: str) -> None:
    answer = Customer().answer(0)
    found = judged(answer._replace(**{name: "0" * len(getattr(answer, name))}))
    assert (found.reason, found.buys) == (Uncharged.BAD_SIGNATURE, False)


@pytest.mark.parametrize("until", [None, 0, ADMITTED_AT_MS // 1000])
def test_judge__key_not_delegated_at_admission__is_uncharged_and_buys_nothing(
    until: int | None,
) -> None:
    found = judged(Customer().answer(0), delegated_until=lambda *_: until)
    assert (found.reason, found.buys) == (Uncharged.UNKNOWN_KEY, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expires_at": EXPIRED}, Uncharged.EXPIRED),
        ({"expires_at": -1}, Uncharged.EXPIRED),
        ({"expires_at": EXPIRED + 32 * 86_400 + 1}, Uncharged.EXPIRES_TOO_LATE),
        ({"node": None}, Uncharged.INCOMPLETE),
        ({"model_version": None}, Uncharged.INCOMPLETE),
        ({"text": None}, Uncharged.INCOMPLETE),
        ({"prompt_tokens": None}, Uncharged.INCOMPLETE),
        ({"manifest_hash": None}, Uncharged.INCOMPLETE),
        ({"price_hash": "0" * 64}, Uncharged.PRICE_NOT_IN_FORCE),
        ({"split_hash": "0" * 64}, Uncharged.SPLIT_NOT_IN_FORCE),
        ({"model": "unknown"}, Uncharged.NOT_PRICED),
        ({"charge_units": None}, Uncharged.CHARGE_DISAGREES),
        ({"charge_units": "0"}, Uncharged.CHARGE_DISAGREES),
        ({"charge_units": str(charge_units(100, 10) + 1)}, Uncharged.CHARGE_DISAGREES),
        ({"prompt_tokens": 101}, Uncharged.CHARGE_DISAGREES),
        ({"max_charge_units": charge_units(100, 10) - 1}, Uncharged.ABOVE_MAXIMUM),
    ],
)
def test_judge__executed_and_signed_but_wrong__is_uncharged_with_the_reason_and_final(
    changes: dict[str, Any], reason: Uncharged
) -> None:
    found = judged(Customer().answer(0, **changes))
    assert (found.reason, found.charge_units, found.buys) == (reason, 0, True)


def test_judge__maximum_exactly_met__is_charged() -> None:
    assert judged(Customer().answer(0, max_charge_units=charge_units(100, 10))).reason is None


def test_judge__price_in_force_only_later__is_uncharged() -> None:
    rule = load_catalogue("prices").in_force(ADMITTED_AT_MS)
    assert rule is not None
    later = Catalogue([replace(rule, valid_from_ms=ADMITTED_AT_MS + 1)])

    assert judged(Customer().answer(0), prices=later).reason is Uncharged.PRICE_NOT_IN_FORCE


@pytest.mark.parametrize(
    "changes",
    [
        {"request_hash": "A" * 64},
        {"signature": "0"},
        {"account": "0x12"},
        {"offset": -1},
        {"offset": True},
        {"partition": "0"},
        {"admitted_at_ms": 2**63},
        {"prompt_tokens": -1},
        {"answer_tokens": 10**10},
        {"charge_units": "01"},
        {"charge_units": "-5"},
        {"charge_units": str(2**256)},
        {"price_hash": "xyz"},
        {"passages": ["xyz"]},
        {"passages": "f" * 64},
        {"node": 5},
        {"source": None},
    ],
    ids=str,
)
def test_read_record__field_of_another_type__is_set_aside(changes: dict[str, Any]) -> None:
    answer = Customer().answer(0)._replace(**changes)
    assert isinstance(read_record(record(0, answer)), Quarantined)


@pytest.mark.parametrize(
    "value", [b"", b"null", b"[]", b"\xff", b'{"status":"x"}', b'{"a":1,"a":2}', b"[" * 10**5]
)
def test_read_record__not_an_answer__is_set_aside(value: bytes) -> None:
    assert isinstance(read_record(record(0, value)), Quarantined)


def test_read_record__half_a_surrogate_pair__is_set_aside() -> None:
    value = Customer().answer(0, node="HALF").payload().replace(b"HALF", rb"\ud800")
    assert isinstance(read_record(record(0, value)), Quarantined)
