"""Whether an executed answer is charged, and how much: recomputed from the answer's own stamps."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from distributary.amounts import parse_units
from distributary.answers import Answer, Status, read_answer
from distributary.errors import InputError
from distributary.identity import Domain
from distributary.recording.records import AnswerRecord, Judged, Quarantined, SetAside, Uncharged
from distributary.requests import request_hash, verify_signature
from distributary.rules import Catalogue, data_share_bp

# The session key's latest expiry (Unix seconds) among its delegations by the account, if any.
DelegatedUntil = Callable[[str, str], int | None]

INT8_MAX = 2**63 - 1
# Token counts above this are a defect; it keeps every charge far below `numeric(78,0)`.
TOKENS_MAX = 10**9
DETAIL_CHARACTERS_MAX = 300

_HEX = {digits: re.compile(rf"[0-9a-f]{{{digits}}}") for digits in (64, 128)}
_SURROGATE = re.compile("[\ud800-\udfff]")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_HASHES = {"request_hash": 64, "body_hash": 64, "key": 64, "signature": 128}
_STAMPED_HASHES = ("price_hash", "split_hash", "manifest_hash")
_WHOLE = ("partition", "offset", "admitted_at_ms")
_TEXTS = ("topic_id", "account", "source", "id")
_OPTIONAL_TEXTS = (
    *("code", "sentence", "model", "model_version", "adapter", "agent", "node"),
    *("charge_units", "datanet", "prompt", "text"),
)
_REQUIRED_STAMPS = ("model", "model_version", "node", "price_hash", "split_hash", "text")


@dataclass(frozen=True)
class Judge:
    """Judges answers by the rules in force at their admission.

    Attributes:
        domain: chain and contract that requests must be signed for.
        prices: catalogue of prices.
        splits: catalogue of splits.
        expiry_s_max: longest time from admission to expiry; purchases are kept that long.
        delegated_until: looks up session keys.
    """

    domain: Domain
    prices: Catalogue
    splits: Catalogue
    expiry_s_max: int
    delegated_until: DelegatedUntil

    def judge(self, record: AnswerRecord, answer: Answer) -> Judged:
        """Decides whether an answer that `read_record` passed is charged, and how much."""
        if answer.status is not Status.EXECUTED:
            reason = Uncharged(answer.status.value)
            return Judged(record, answer, reason, 0, 0, buys=False)
        if reason_not_signed := self._not_signed(answer):
            return Judged(record, answer, reason_not_signed, 0, 0, buys=False)
        charge = self._charge(answer)
        if isinstance(charge, Uncharged):
            return Judged(record, answer, charge, 0, 0, buys=True)
        return Judged(record, answer, None, *charge, buys=True)

    def _not_signed(self, answer: Answer) -> Uncharged | None:
        try:
            signed = request_hash(
                self.domain,
                answer.identity,
                answer.body_hash,
                answer.max_charge_units,
                answer.expires_at,
            )
        except InputError:  # no number that anyone could have signed
            return Uncharged.BAD_REQUEST_HASH
        if signed != answer.request_hash:
            return Uncharged.BAD_REQUEST_HASH
        if not verify_signature(answer.request_hash, answer.key, answer.signature):
            return Uncharged.BAD_SIGNATURE
        until = self.delegated_until(answer.account, answer.key)
        if until is None or answer.admitted_at_ms // 1000 >= until:
            return Uncharged.UNKNOWN_KEY
        return None

    def _charge(self, answer: Answer) -> tuple[int, int] | Uncharged:
        """What an executed and signed answer costs and its data share, or why it costs nothing."""
        admitted_at_s = answer.admitted_at_ms // 1000
        if type(answer.expires_at) is not int or answer.expires_at <= admitted_at_s:
            return Uncharged.EXPIRED
        if answer.expires_at > admitted_at_s + self.expiry_s_max:
            return Uncharged.EXPIRES_TOO_LATE
        if _is_incomplete(answer):
            return Uncharged.INCOMPLETE
        price = self.prices.in_force(answer.admitted_at_ms)
        if price is None or price.hash != answer.price_hash:
            return Uncharged.PRICE_NOT_IN_FORCE
        split = self.splits.in_force(answer.admitted_at_ms)
        if split is None or split.hash != answer.split_hash:
            return Uncharged.SPLIT_NOT_IN_FORCE
        if answer.model not in price.content:
            return Uncharged.NOT_PRICED
        charge = price.content[answer.model].charge_units(
            answer.prompt_tokens, answer.answer_tokens
        )
        if answer.charge_units != str(charge):
            return Uncharged.CHARGE_DISAGREES
        maximum = parse_units(answer.max_charge_units)
        if maximum is None or charge > maximum:
            return Uncharged.ABOVE_MAXIMUM
        return int(charge), data_share_bp(split.content, answer.adapter, answer.agent)


def _is_incomplete(answer: Answer) -> bool:
    if any(getattr(answer, name) is None for name in _REQUIRED_STAMPS):
        return True
    if answer.prompt_tokens is None or answer.answer_tokens is None:
        return True
    return bool(answer.passages) and (answer.datanet is None or answer.manifest_hash is None)


def read_record(record: AnswerRecord) -> Answer | Quarantined:
    """Reads a record and checks that every field has the type it is stored with."""
    try:
        answer = read_answer(record.value)
        _check_types(answer)
    except InputError as error:
        detail = str(error)[:DETAIL_CHARACTERS_MAX]
        return Quarantined(record, SetAside.UNREADABLE, detail)
    return answer


def _check_types(answer: Answer) -> None:
    """Raises InputError for a field that no answer of ours has in that form."""
    for name, digits in _HASHES.items():
        _check(name, _is_hex(getattr(answer, name), digits))
    for name in _STAMPED_HASHES:
        value = getattr(answer, name)
        _check(name, value is None or _is_hex(value, 64))
    for name in _WHOLE:
        _check(name, _is_whole(getattr(answer, name), INT8_MAX))
    for name in ("prompt_tokens", "answer_tokens"):
        value = getattr(answer, name)
        _check(name, value is None or _is_whole(value, TOKENS_MAX))
    for name in _TEXTS:
        _check(name, _is_text(getattr(answer, name)))
    for name in _OPTIONAL_TEXTS:
        value = getattr(answer, name)
        _check(name, value is None or _is_text(value))
    _check("account", _ADDRESS.fullmatch(answer.account) is not None)
    _check(
        "charge_units", answer.charge_units is None or parse_units(answer.charge_units) is not None
    )
    passages = answer.passages
    _check("passages", passages is None or _are_hashes(passages))


def _are_hashes(values: object) -> bool:
    return isinstance(values, list) and all(_is_hex(value, 64) for value in values)


def _is_text(value: object) -> bool:
    """Whether it is text without half a surrogate pair, which JSON can write and UTF-8 cannot."""
    if not isinstance(value, str):
        return False
    return value.isascii() or not _SURROGATE.search(value)


def _is_hex(value: object, digits: int) -> bool:
    return isinstance(value, str) and _HEX[digits].fullmatch(value) is not None


def _is_whole(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _check(name: str, passes: bool) -> None:
    if not passes:
        raise InputError(f"`{name}` of the answer is not of its type.", code="bad_answer")
