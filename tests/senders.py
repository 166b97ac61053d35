"""Customers of the tests: they sign whatever they are told to, and send any bytes to Kafka."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Producer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from distributary.accounts import AccountState, Delegation
from distributary.events import REQUEST_TYPE
from distributary.identity import Domain, Identity
from distributary.requests import Request, make_purchase
from distributary.topics import ACCOUNTS, REQUESTS

DOMAIN = Domain(31337, "0x" + "0" * 40)
CREDIT_UNITS = 10**24
MAX_CHARGE_UNITS = "1" + "0" * 18
HOUR_S = 3_600
UNBOUND = 2**40
ACKNOWLEDGED_S_MAX = 60.0

Headers = list[tuple[str, bytes | None]]


def seeded_key(seed: str) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public key, hex."""
    return key.public_key().public_bytes_raw().hex()


@dataclass(frozen=True)
class Customer:
    """An account whose session key signs."""

    name: str = "payer"
    key: Ed25519PrivateKey = field(default_factory=lambda: seeded_key("session"))

    @property
    def account(self) -> str:
        """The address."""
        return "0x" + hashlib.sha256(self.name.encode()).hexdigest()[:40]

    @property
    def public(self) -> str:
        """The session key, hex."""
        return public_hex(self.key)

    def state(self, **changes: Any) -> AccountState:
        """The account's record: credit for everything, the session key delegated for ever."""
        delegations = (Delegation(public_hex(self.key), UNBOUND, "0x00"),)
        given: dict[str, Any] = {
            "account": self.account,
            "version": 1,
            "credit_units": CREDIT_UNITS,
            "credit_source": "grant",
            "frozen": False,
            "delegations": delegations,
        }
        return AccountState(**(given | changes))

    def request(self, event_id: str, body: Any = None, **changes: Any) -> Request:
        """A request with this id, signed as it stands; `changes` are signed too."""
        signed: dict[str, Any] = {
            "source": "test",
            "salt": hashlib.sha256(event_id.encode()).hexdigest()[:32],
            "max_charge_units": MAX_CHARGE_UNITS,
            "expires_at": int(time.time()) + HOUR_S,
            "domain": DOMAIN,
            "key": self.key,
        } | changes
        body = question(event_id) if body is None else body
        purchase = make_purchase(
            signed["domain"],
            Identity(self.account, signed["source"], event_id),
            body,
            signed["salt"],
            signed["max_charge_units"],
            signed["expires_at"],
        )
        key: Ed25519PrivateKey = signed["key"]
        signature = key.sign(bytes.fromhex(purchase.request_hash)).hex()
        return Request(purchase, body, signed["salt"], public_hex(key), signature)


def question(text: str, **changes: Any) -> dict[str, Any]:
    """The body of a request to the simulated model."""
    return {"model": "simulated", "prompt": f"What is {text}?"} | changes


def event_headers(event_id: str, source: str = "test", **changes: bytes | None) -> Headers:
    """The headers of a request as a plain producer writes them; `ce_…=None` leaves one out."""
    headers: dict[str, bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_id": event_id.encode(),
        "ce_source": source.encode(),
        "ce_type": REQUEST_TYPE.encode(),
        "content-type": b"application/json",
    }
    return [(name, data) for name, data in (headers | changes).items() if data is not None]


@dataclass(frozen=True)
class Place:
    """Where a record was acknowledged."""

    partition: int
    offset: int


class Sender:
    """Sends records of one test and knows where each of them stands."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._prefix = prefix
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "acks": "all",
                "enable.idempotence": True,
                "message.max.bytes": 8 * 2**20,
                "compression.type": "lz4",
                "log_level": 0,
            }
        )

    def publish(self, *states: AccountState) -> None:
        """Publishes records of accounts."""
        for state in states:
            self._producer.produce(
                self._prefix + ACCOUNTS, state.payload(), state.account.encode(), partition=0
            )
        assert self._producer.flush(ACKNOWLEDGED_S_MAX) == 0

    def send(
        self, records: list[tuple[bytes | None, Headers | None]], partition: int = 0
    ) -> list[Place]:
        """Sends (value, headers) pairs in order and waits for Kafka to acknowledge them all."""
        places: list[Place] = []

        def delivered(error: object, message: Any) -> None:
            assert error is None, error
            places.append(Place(message.partition(), message.offset()))

        for value, headers in records:
            self._producer.produce(
                self._prefix + REQUESTS,
                value,
                partition=partition,
                headers=headers,
                on_delivery=delivered,
            )
        assert self._producer.flush(ACKNOWLEDGED_S_MAX) == 0
        return places

    def ask(self, *requests: Request, partition: int = 0) -> list[Place]:
        """Sends requests as they should be sent."""
        return self.send([as_record(request) for request in requests], partition)

    def start_asking(self, requests: list[Request], partitions: int) -> None:
        """Sends requests without waiting, spread over the partitions; `settle` waits."""
        for number, request in enumerate(requests):
            value, headers = as_record(request)
            self._producer.produce(
                self._prefix + REQUESTS, value, partition=number % partitions, headers=headers
            )

    def settle(self) -> None:
        """Waits until Kafka has acknowledged everything."""
        assert self._producer.flush(ACKNOWLEDGED_S_MAX) == 0


def as_record(request: Request) -> tuple[bytes, Headers]:
    """A request as its record."""
    identity = request.purchase.identity
    return request.payload(), event_headers(identity.id, identity.source)
