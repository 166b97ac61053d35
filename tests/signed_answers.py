"""Answers as the inference job would write them, signed by a session key made for the test."""

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from distributary.answers import Answer, Status
from distributary.attribution.method import METHOD
from distributary.attribution.weights import WHOLE
from distributary.identity import Domain, Identity
from distributary.recording.judging import Judge, read_record
from distributary.recording.records import (
    AnswerRecord,
    Batch,
    Bundle,
    Lane,
    Quarantined,
    Weighed,
    Weights,
)
from distributary.requests import sign_request
from distributary.rules import load_catalogue

DOMAIN = Domain(31337, "0x" + "0" * 40)
PAYER = "0x" + "a" * 40
ADMITTED_AT_MS = 1_790_000_000_000
MANIFEST = "d" * 64
DOCUMENTS = tuple(sorted(f"{number:02x}" * 32 for number in range(1, 9)))
MODEL = "smollm2-135m"


def judge(**changes: Any) -> Judge:
    """A judge to whom every key is delegated for ever."""
    given = {
        "domain": DOMAIN,
        "prices": load_catalogue("prices"),
        "splits": load_catalogue("splits"),
        "expiry_s_max": 32 * 86_400,
        "delegated_until": lambda _account, _key: 2**40,
    }
    return Judge(**(given | changes))


@dataclass
class Customer:
    """Signs requests and lets them be answered."""

    account: str = PAYER
    key: Ed25519PrivateKey = field(
        default_factory=lambda: Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    )

    @property
    def public(self) -> str:
        """The session key, hex."""
        return self.key.public_key().public_bytes_raw().hex()

    def answer(self, number: int, **changes: Any) -> Answer:
        """An executed answer to request `number`, whose charge is right unless changed.

        Signed fields (source, id, max_charge_units, expires_at) are signed as changed.
        """
        signed = {
            "max_charge_units": changes.pop("max_charge_units", 10**18),
            "expires_at": changes.pop("expires_at", ADMITTED_AT_MS // 1000 + 3600),
        }
        request = sign_request(
            DOMAIN,
            Identity(self.account, changes.pop("source", "test"), changes.pop("id", str(number))),
            {"model": MODEL, "prompt": f"question {number}"},
            salt=number.to_bytes(16, "big"),
            key=self.key,
            **signed,
        )
        purchase = request.purchase
        answer = Answer(
            status=Status.EXECUTED,
            topic_id="requests-topic",
            partition=0,
            offset=number,
            admitted_at_ms=ADMITTED_AT_MS,
            account=purchase.identity.account,
            source=purchase.identity.source,
            id=purchase.identity.id,
            request_hash=purchase.request_hash,
            body_hash=purchase.body_hash,
            max_charge_units=purchase.max_charge_units,
            expires_at=purchase.expires_at,
            key=request.key,
            signature=request.signature,
            model=MODEL,
            model_version="test-1",
            node="local",
            prompt_tokens=100,
            answer_tokens=10,
            charge_units=str(charge_units(100, 10)),
            price_hash=_in_force("prices"),
            split_hash=_in_force("splits"),
            datanet="net",
            manifest_hash=MANIFEST,
            passages=[DOCUMENTS[0]],
            prompt=f"question {number}",
            text=f"answer {number}",
        )
        return answer._replace(**changes)

    def refused(self, number: int) -> Answer:
        """A refusal."""
        return self.answer(
            number,
            status=Status.REFUSED,
            code="expired",
            **dict.fromkeys(
                ("model", "node", "charge_units", "price_hash", "split_hash", "datanet"), None
            ),
            manifest_hash=None,
            passages=None,
            text=None,
        )


def charge_units(prompt_tokens: int, answer_tokens: int) -> int:
    """What an answer of the tests' model costs at the tests' admission instant."""
    rule = load_catalogue("prices").in_force(ADMITTED_AT_MS)
    assert rule is not None
    return int(rule.content[MODEL].charge_units(prompt_tokens, answer_tokens))


def _in_force(kind: str) -> str:
    rule = load_catalogue(kind).in_force(ADMITTED_AT_MS)
    assert rule is not None
    return rule.hash


def record(offset: int, answer: Answer | bytes) -> AnswerRecord:
    """A record of `inference.answers`."""
    value = answer if isinstance(answer, bytes) else answer.payload()
    return AnswerRecord(offset, ADMITTED_AT_MS + offset, None, value)


def batch(lane: Lane, from_offset: int, answers: list[Answer | bytes]) -> Batch:
    """Answers on a lane, without gaps."""
    records = tuple(record(from_offset + i, answer) for i, answer in enumerate(answers))
    return Batch(lane, from_offset, from_offset + len(records), records)


def eight_weights(method: str = METHOD) -> Weights:
    """Weights over all eight documents and commons."""
    return Weights(method, WHOLE - 8 * 10**8, tuple((hash_, 10**8) for hash_ in DOCUMENTS))


def bundle(given: Batch, judge_: Judge | None = None, weights: Weights | None = None) -> Bundle:
    """A batch judged, charged answers weighed with the same weights."""
    judge_, weights = judge_ or judge(), weights or eight_weights()
    weighed, set_aside = [], []
    for each in given.records:
        read = read_record(each)
        if isinstance(read, Quarantined):
            set_aside.append(read)
            continue
        judged = judge_.judge(each, read)
        weighed.append(Weighed(judged, weights if judged.reason is None else None))
    return Bundle(given, tuple(weighed), tuple(set_aside))
