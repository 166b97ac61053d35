"""An answer: the record on `inference.answers`, with everything that decides pay stamped on it."""

from enum import StrEnum
from typing import Any, NamedTuple

from distributary.errors import InputError
from distributary.fast_json import read_json, write_json
from distributary.identity import Coordinates, Identity


class Status(StrEnum):
    """What became of a request; only an executed answer is final and is charged."""

    EXECUTED = "executed"
    REPLAYED = "replayed"
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why a signed request was refused; each has its line in docs/reference.md."""

    BAD_REQUEST = "bad_request"
    EMPTY_PROMPT = "empty_prompt"
    PROMPT_TOO_LONG = "prompt_too_long"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_ADAPTER = "unknown_adapter"
    UNKNOWN_DATANET = "unknown_datanet"
    DATANET_UNREADABLE = "datanet_unreadable"
    EXPIRED = "expired"
    EXPIRES_TOO_LATE = "expires_too_late"
    ABOVE_MAXIMUM = "above_maximum"
    INSUFFICIENT_CREDIT = "insufficient_credit"
    ACCOUNT_FROZEN = "account_frozen"
    CONFLICT = "conflict"
    IN_PROGRESS = "in_progress"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    NODE_FAILED = "node_failed"
    NOT_PRICED = "not_priced"


class Answer(NamedTuple):
    """One answer; give its fields by name.

    Amounts are decimal text of integer base units; hashes are lower-case hex.

    `topic_id`, `partition` and `offset` are the *request's* coordinates, `admitted_at_ms` its
    `LogAppendTime`. A replayed answer repeats the executed one's text, stamps and charge (charged
    once, by the executed record) under its own coordinates.
    """

    status: Status
    topic_id: str
    partition: int
    offset: int
    admitted_at_ms: int
    account: str
    source: str
    id: str
    request_hash: str
    body_hash: str
    max_charge_units: Any
    expires_at: Any
    key: str
    signature: str
    code: str | None = None
    sentence: str | None = None
    retry_after_ms: int | None = None
    model: str | None = None
    model_version: str | None = None
    adapter: str | None = None
    agent: str | None = None
    node: str | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    charge_units: str | None = None
    price_hash: str | None = None
    split_hash: str | None = None
    datanet: str | None = None
    manifest_hash: str | None = None
    passages: list[str] | None = None
    prompt: str | None = None
    text: str | None = None

    @property
    def coordinates(self) -> Coordinates:
        """Where the request stands."""
        return Coordinates(self.topic_id, self.partition, self.offset)

    @property
    def identity(self) -> Identity:
        """Which request this answers."""
        return Identity(self.account, self.source, self.id)

    def payload(self) -> bytes:
        """The record value; absent fields are left out, save what was signed as null."""
        present = {
            name: value
            for name, value in zip(_FIELDS, self, strict=True)
            if value is not None or name in _AS_SIGNED
        }
        return write_json(present)


_AS_SIGNED = ("max_charge_units", "expires_at")
_FIELDS = Answer._fields
_NAMES = frozenset(_FIELDS)


def read_answer(payload: bytes) -> Answer:
    """Reads a record value.

    Raises:
        InputError: it is not an answer of this version.
    """
    parsed = read_json(payload)
    if not isinstance(parsed, dict) or not parsed.keys() <= _NAMES:
        raise InputError("Not an answer of this version.", code="bad_answer")
    try:
        values: dict[str, Any] = parsed | {"status": Status(str(parsed.get("status")))}
        return Answer(**values)
    except (TypeError, ValueError) as error:
        raise InputError(f"Not an answer: {error}.", code="bad_answer") from error
