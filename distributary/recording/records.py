"""What an answer record becomes on its way through the attribution job."""

from dataclasses import dataclass
from enum import StrEnum

from distributary.answers import Answer


class Outcome(StrEnum):
    """What became of an answer record in the books."""

    CHARGED = "charged"
    UNCHARGED = "uncharged"
    DUPLICATE = "duplicate"


class Uncharged(StrEnum):
    """Why an answer is not charged; each has its line in docs/reference.md."""

    REPLAYED = "replayed"
    REFUSED = "refused"
    BAD_REQUEST_HASH = "bad_request_hash"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_KEY = "unknown_key"
    EXPIRED = "expired"
    EXPIRES_TOO_LATE = "expires_too_late"
    INCOMPLETE = "incomplete"
    PRICE_NOT_IN_FORCE = "price_not_in_force"
    SPLIT_NOT_IN_FORCE = "split_not_in_force"
    NOT_PRICED = "not_priced"
    CHARGE_DISAGREES = "charge_disagrees"
    ABOVE_MAXIMUM = "above_maximum"


class SetAside(StrEnum):
    """Why a record is in quarantine; each has its line in docs/reference.md."""

    UNREADABLE = "unreadable"
    BAD_WEIGHTS = "bad_weights"
    NOT_ATTRIBUTED = "not_attributed"
    NOT_STORABLE = "not_storable"


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """A record of `inference.answers` as read; `answered_at_ms` is its `LogAppendTime`, Unix ms."""

    offset: int
    answered_at_ms: int
    traceparent: str | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Lane:
    """One partition of the answers topic, as this process opened it.

    Attributes:
        topic_id: Kafka's id of the topic.
        topic: the short key of the topic in Postgres.
        partition: the partition.
        generation: rises with every opening; a lower one than in Postgres is a zombie's.
    """

    topic_id: str
    topic: int
    partition: int
    generation: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one lane in offset order, standing for the offsets `from_offset..to_offset - 1`.

    Offsets may have gaps, so there may be fewer records than offsets.
    """

    lane: Lane
    from_offset: int
    to_offset: int
    records: tuple[AnswerRecord, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """How the data share of one answer divides: parts of 10^9, documents by hash in order."""

    method: str
    commons: int
    documents: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer with its outcome, before duplicates are known.

    Attributes:
        record: where it stands.
        answer: what it says.
        reason: why it is uncharged, None if it is charged.
        charge_units: what it costs, base units; zero if it is uncharged.
        data_bp: basis points of the charge that are for data; zero if it is uncharged.
        buys: whether it takes its request hash: it was executed and its account signed for it.
    """

    record: AnswerRecord
    answer: Answer
    reason: Uncharged | None
    charge_units: int
    data_bp: int
    buys: bool


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that cannot be stored as an answer, with the reason's code and a detail."""

    record: AnswerRecord
    reason: SetAside
    detail: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """A judged answer with the weights of its data share; None where it is not charged."""

    judged: Judged
    weights: Weights | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """All that one transaction stores: every record of `batch` is in one of the two lists.

    Attributes:
        batch: the offsets and records that it stands for.
        weighed: readable answers, in offset order.
        quarantined: records already known to be set aside.
    """

    batch: Batch
    weighed: tuple[Weighed, ...]
    quarantined: tuple[Quarantined, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """An answer as it is stored.

    Attributes:
        judged: the answer and its charge.
        outcome: charged, uncharged, or duplicate.
        weights: of a charged answer, else None.
    """

    judged: Judged
    outcome: Outcome
    weights: Weights | None

    @property
    def charge_units(self) -> int:
        """What is charged, base units."""
        return self.judged.charge_units if self.outcome is Outcome.CHARGED else 0

    @property
    def reason(self) -> str | None:
        """Why it is uncharged; None for a charged one and for a duplicate."""
        uncharged = self.outcome is Outcome.UNCHARGED and self.judged.reason
        return uncharged.value if uncharged else None
