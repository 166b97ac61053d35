"""Signed requests are admitted, or refused with a code and a sentence, and never raise."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from distributary.answers import Answer, Refusal, Status, read_answer
from distributary.datanets.retrieval import Passage, Retrieved, Retriever
from distributary.errors import DistributaryError
from distributary.events import ANSWER_TYPE
from distributary.inference.admission import Admission, check_expiry
from distributary.inference.records import Admitted
from distributary.rules import Catalogue, load_catalogue, read_rule
from distributary.schemas import load_schema
from distributary.settings import DAY_S, Settings
from distributary.tokens import ByteCounter
from tests.senders import question
from tests.unit.inference.records_at import ADMITTED_AT_MS, EXPIRES_AT, PAYER, ask, verified

VALIDATOR = Draft202012Validator(load_schema(ANSWER_TYPE))
COUNTERS: Any = {"bytes": ByteCounter(), "smollm2": ByteCounter()}
ADMISSION = Admission(
    settings=Settings(),
    prices=load_catalogue("prices"),
    splits=load_catalogue("splits"),
    retriever=Retriever(Path(__file__).parent / "empty_lake"),
    counters=COUNTERS,
)
PROMPT_UNITS = 1_000_000_000_000  # of the simulated model, a token
ANSWER_UNITS = 3_000_000_000_000


def admit(
    body: Any = None, admission: Admission = ADMISSION, age_s: float = 0.0, **changes: Any
) -> Admitted | Answer:
    state = changes.pop("state", PAYER.state())
    return admission.admit(verified(ask("1", body, **changes)), state, 100.0, age_s)


def refusal(*args: Any, **kwargs: Any) -> Answer:
    found = admit(*args, **kwargs)
    assert isinstance(found, Answer), found
    assert found.status is Status.REFUSED
    assert found.sentence
    VALIDATOR.validate(json.loads(found.payload()))
    assert read_answer(found.payload()) == found
    return found


def test_admit__a_good_request__carries_stamps_of_the_rules_in_force() -> None:
    found = admit()
    assert isinstance(found, Admitted)
    assert found.price_hash == load_catalogue("prices").in_force(ADMITTED_AT_MS).hash  # type: ignore[union-attr]
    assert found.split_hash == load_catalogue("splits").in_force(ADMITTED_AT_MS).hash  # type: ignore[union-attr]
    assert found.prompt_tokens == ByteCounter().count(found.prompt)
    assert found.due_at == 100.0 + Settings().deadline_ms_default / 1000
    assert (found.passages, found.manifest_hash) == ((), None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], Refusal.BAD_REQUEST),
        ("text", Refusal.BAD_REQUEST),
        ({"model": "simulated"}, Refusal.BAD_REQUEST),
        (question("1", priority=1), Refusal.BAD_REQUEST),
        (question("1", settings={"max_tokens": 0}), Refusal.BAD_REQUEST),
        (question("1", settings={"max_tokens": 2**52}), Refusal.BAD_REQUEST),
        (question("1", deadline_ms=-1), Refusal.BAD_REQUEST),
        (question("1", prompt="  \n"), Refusal.EMPTY_PROMPT),
        (question("1", prompt="x " * 1_800), None),
        (question("1", model="gpt-0"), Refusal.UNKNOWN_MODEL),
        (question("1", adapter="lora"), Refusal.UNKNOWN_ADAPTER),
        (question("1", datanet="nowhere"), Refusal.UNKNOWN_DATANET),
    ],
)
def test_admit__unusable_body__is_refused_with_its_code(body: Any, code: Refusal | None) -> None:
    found = admit(body)
    if code is None:
        assert isinstance(found, Admitted)
    else:
        assert refusal(body).code == code


def test_admit__prompt_longer_than_the_context__is_refused() -> None:
    class Everything(ByteCounter):
        def count(self, text: str) -> int:
            return 2_049

    counters: Any = {"bytes": Everything(), "smollm2": Everything()}
    assert refusal(admission=replace(ADMISSION, counters=counters)).code == Refusal.PROMPT_TOO_LONG


@pytest.mark.parametrize(
    ("expires_at", "code"),
    [
        (ADMITTED_AT_MS // 1000, Refusal.EXPIRED),
        (0, Refusal.EXPIRED),
        (ADMITTED_AT_MS // 1000 + 32 * DAY_S + 1, Refusal.EXPIRES_TOO_LATE),
        (2**53 - 1, Refusal.EXPIRES_TOO_LATE),
        (-1, Refusal.BAD_REQUEST),
        (1.5, Refusal.BAD_REQUEST),
        ("soon", Refusal.BAD_REQUEST),
        (True, Refusal.BAD_REQUEST),
        (None, Refusal.BAD_REQUEST),
        ([EXPIRES_AT], Refusal.BAD_REQUEST),
    ],
)
def test_admit__expiry_is_unusable__is_refused_with_its_code(
    expires_at: Any, code: Refusal
) -> None:
    assert refusal(expires_at=expires_at).code == code


@pytest.mark.parametrize("after_s", [1, 32 * DAY_S])
def test_check_expiry__first_and_last_second__pass(after_s: int) -> None:
    check_expiry(ADMITTED_AT_MS // 1000 + after_s, ADMITTED_AT_MS, 32 * DAY_S)


@pytest.mark.parametrize(
    "maximum",
    [
        *("-1", "+1", "1.0", "1e18", "", " 1", "01", "0x1", "²", "1" * 79, str(2**256), "1_0"),
        *(5, -5, 1.5, None, True, [], {}, 2**53 - 1),
    ],
)
def test_admit__maximum_is_not_canonical_digits__is_refused(maximum: Any) -> None:
    assert refusal(max_charge_units=maximum).code == Refusal.BAD_REQUEST


def worst_units() -> int:
    found = admit()
    assert isinstance(found, Admitted)
    return found.prompt_tokens * PROMPT_UNITS + 64 * ANSWER_UNITS


def test_admit__worst_case_at_the_maximum_and_the_credit__passes_and_one_less_does_not() -> None:
    worst = worst_units()
    assert isinstance(admit(max_charge_units=str(worst)), Admitted)
    assert refusal(max_charge_units=str(worst - 1)).code == Refusal.ABOVE_MAXIMUM
    assert isinstance(admit(state=PAYER.state(credit_units=worst)), Admitted)
    low = refusal(state=PAYER.state(credit_units=worst - 1))
    assert low.code == Refusal.INSUFFICIENT_CREDIT
    assert str(worst) in (low.sentence or "")


def test_admit__frozen_account__is_refused() -> None:
    assert refusal(state=PAYER.state(frozen=True)).code == Refusal.ACCOUNT_FROZEN


@pytest.mark.parametrize("kind", ["prices", "splits"])
def test_admit__no_rule_in_force__is_refused(kind: str) -> None:
    admission = replace(ADMISSION, **{kind: Catalogue([])})  # type: ignore[arg-type]
    assert refusal(admission=admission).code == Refusal.NOT_PRICED


def test_admit__price_begins_later__the_earlier_one_is_stamped() -> None:
    def price(valid_from_ms: int, units: str) -> bytes:
        of = {"prompt_units_per_1000": units, "answer_units_per_1000": units}
        text = {"kind": "prices", "valid_from_ms": valid_from_ms, "models": {"simulated": of}}
        return json.dumps(text).encode()

    early = read_rule("prices", price(0, "1"))
    late = read_rule("prices", price(ADMITTED_AT_MS + 1, "2"))
    found = admit(admission=replace(ADMISSION, prices=Catalogue([early, late])))
    assert isinstance(found, Admitted)
    assert found.price_hash == early.hash


def test_admit__stated_deadline__counts_from_admission_and_the_default_from_now() -> None:
    stated = admit(question("1", deadline_ms=5_000), age_s=2.0)
    default = admit(age_s=3_600.0)
    assert isinstance(stated, Admitted)
    assert isinstance(default, Admitted)
    assert stated.due_at == 103.0
    assert default.due_at == 160.0


class ARetriever:
    """Gives one passage, or fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def retrieve(self, datanet: str, asked: str, count: int) -> Retrieved:
        if self._error is not None:
            raise self._error
        return Retrieved("d" * 64, (Passage("e" * 64, "What is 1? It is the first."),))


def with_retriever(error: Exception | None = None) -> Admission:
    return replace(ADMISSION, retriever=ARetriever(error))  # type: ignore[arg-type]


def test_admit__with_a_datanet__names_the_manifest_and_what_was_shown() -> None:
    found = admit(question("1", datanet="wiki"), with_retriever())
    assert isinstance(found, Admitted)
    assert found.manifest_hash == "d" * 64
    assert found.passages == ("e" * 64,)
    assert "It is the first." in found.prompt


@pytest.mark.parametrize(
    "error",
    [
        DistributaryError("Damaged.", value="/secret/path", code="manifest_damaged"),
        OSError("/x"),
        IndexError("/x"),
        KeyError("/x"),
        ValueError("/x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "/x"),
        AttributeError("/x"),
    ],
)
def test_admit__datanet_is_damaged__is_refused_without_our_paths(error: Exception) -> None:
    found = refusal(question("1", datanet="wiki"), with_retriever(error))
    assert found.code == Refusal.DATANET_UNREADABLE
    assert "/" not in (found.sentence or "")


def test_admit__datanet_is_damaged__the_log_names_it_and_the_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusal(question("1", datanet="wiki"), with_retriever(IndexError("out of bounds")))
    (line,) = caplog.records
    assert isinstance(line.msg, dict)
    assert line.msg["datanet"] == "wiki"
    assert "IndexError: out of bounds" in line.msg["error"]
    assert line.exc_info


def test_admit__lake_is_not_mounted__is_no_final_refusal(tmp_path: Path) -> None:
    admission = replace(ADMISSION, retriever=Retriever(tmp_path / "gone"))
    assert refusal(question("1", datanet="wiki"), admission).code == Refusal.DATANET_UNREADABLE


def test_refusal__every_code_made__is_a_documented_one() -> None:
    assert {str(code) for code in Refusal} >= {
        refusal(body).code for body in ([], question("1", prompt=" "), question("1", datanet="no"))
    }
