"""What a request record becomes on its way through the inference job.

Named tuples: a frozen dataclass takes three times as long to make, and each request makes a dozen.
"""

from dataclasses import dataclass
from typing import NamedTuple

from distributary.answers import Answer, Refusal, Status
from distributary.bodies import Body
from distributary.identity import Coordinates
from distributary.models import ModelSpec
from distributary.requests import Request
from distributary.rules import Price


class Record(NamedTuple):
    """A record as read from Kafka; `admitted_at_ms` is its `LogAppendTime`, Unix ms."""

    coordinates: Coordinates
    admitted_at_ms: int
    headers: list[tuple[str, bytes]] | None
    value: bytes


class Dead(NamedTuple):
    """A record that nobody can be answered for, with the reason's code and a sentence."""

    record: Record
    code: str
    sentence: str


class Verified(NamedTuple):
    """A request whose signature verifies: it will get an answer."""

    record: Record
    request: Request
    traceparent: str

    def answer(self, status: Status, **stamps: object) -> Answer:
        """An answer to this request, with what every answer repeats of it."""
        record, request, _ = self
        purchase = request.purchase
        topic_id, partition, offset = record.coordinates
        account, source, event_id = purchase.identity
        return Answer(
            status=status,
            topic_id=topic_id,
            partition=partition,
            offset=offset,
            admitted_at_ms=record.admitted_at_ms,
            account=account,
            source=source,
            id=event_id,
            request_hash=purchase.request_hash,
            body_hash=purchase.body_hash,
            max_charge_units=purchase.max_charge_units,
            expires_at=purchase.expires_at,
            key=request.key,
            signature=request.signature,
            **stamps,  # type: ignore[arg-type]
        )

    def refuse(
        self, code: Refusal | str, sentence: str, retry_after_ms: int | None = None
    ) -> Answer:
        """A refused answer."""
        return self.answer(
            Status.REFUSED, code=str(code), sentence=sentence, retry_after_ms=retry_after_ms
        )


@dataclass(frozen=True, slots=True, eq=False)
class Admitted:
    """A request that a node may run.

    Attributes:
        verified: the request.
        body: its validated body.
        spec: the model.
        price: what was in force at admission; `price_hash` and `split_hash` are its stamps.
        prompt: the whole text for the node, assembled by us.
        prompt_tokens: its length, counted by us.
        passages: documents shown, by hash, in the order shown.
        manifest_hash: the datanet manifest they were retrieved from.
        due_at: seconds on the engine's monotonic clock; later the request is refused.
    """

    verified: Verified
    body: Body
    spec: ModelSpec
    price: Price
    price_hash: str
    split_hash: str
    prompt: str
    prompt_tokens: int
    passages: tuple[str, ...]
    manifest_hash: str | None
    due_at: float


class Generation(NamedTuple):
    """What a node returned for one request: a text, or why there is none."""

    text: str | None
    node: str
    model_version: str
    error: str = ""
