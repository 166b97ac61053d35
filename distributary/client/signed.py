"""A signed request as bytes that never change: what is sent again is what was bought."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from distributary.bodies import read_body
from distributary.errors import InputError
from distributary.events import NAME_CHARACTERS_MAX, REQUEST_TYPE, Event, Headers, to_record
from distributary.identity import Domain, Identity
from distributary.keys import SessionKey
from distributary.requests import read_request, sign_request, verify_signature
from distributary.strict_json import parse_json

SOURCE = "urn:distributary:client"


@dataclass(frozen=True)
class SignedRequest:
    """A request with everything that its record on `inference.requests` holds.

    Attributes:
        request_hash: hex; what is charged, once, and what its answer is known by.
        source: `ce_source`.
        id: `ce_id`.
        at: `ce_time`, RFC 3339.
        traceparent: W3C trace context.
        payload: the signed JSON, canonical.
    """

    request_hash: str
    source: str
    id: str
    at: str
    traceparent: str
    payload: str

    def record(self) -> tuple[Headers, bytes]:
        """Headers and value for Kafka."""
        event = Event(self.id, self.source, REQUEST_TYPE, self.traceparent)
        at = datetime.fromisoformat(self.at)
        return to_record(event, self.request_hash, at, self.payload.encode())

    def to_line(self) -> str:
        """One line of a run file."""
        return json.dumps(vars(self), ensure_ascii=False, separators=(",", ":"))


def read_signed(line: bytes, domain: Domain) -> SignedRequest:
    """Reads a line of a run file and checks its hash and signature.

    Raises:
        InputError: it was not signed so.
    """
    parsed = parse_json(line)
    try:
        signed = SignedRequest(**parsed)
        datetime.fromisoformat(signed.at)
        request = read_request(signed.payload.encode(), signed.source, signed.id, domain)
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError("Not a signed request.", code="bad_run_file") from error
    hashed = request.purchase.request_hash
    if hashed != signed.request_hash or not verify_signature(
        hashed, request.key, request.signature
    ):
        raise InputError("The request is not as it was signed.", code="bad_run_file")
    return signed


@dataclass(frozen=True)
class Randomness:
    """What must be fresh for each request, drawn at the edge.

    Attributes:
        id: the event's id; fresh, or it is the same request again.
        salt: 16 bytes that keep a prompt from being guessed by its hash.
        trace: 24 bytes, trace and span.
    """

    id: str
    salt: bytes
    trace: bytes


@dataclass(frozen=True)
class Signer:
    """Signs the requests of one account with one session key.

    Attributes:
        domain: chain and contract.
        session: the key and the account it signs for.
        source: `ce_source`: tells one producer's ids from another's.
    """

    domain: Domain
    session: SessionKey
    source: str = SOURCE

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        return self.session.signer

    def sign(
        self,
        body: dict[str, Any],
        *,
        max_charge_units: int,
        expires_at: int,
        now_s: float,
        fresh: Randomness,
    ) -> SignedRequest:
        """Signs a body; everything that a repetition must not change is fixed here.

        Args:
            body: see `inference.request.v1.json`.
            max_charge_units: the most that may be charged, base units.
            expires_at: Unix seconds.
            now_s: Unix seconds.
            fresh: see there.

        Raises:
            InputError: `bad_request` or `empty_prompt`: it would be refused; `key_expired`: the
                session key's delegation has ended.
        """
        read_body(body)
        if max_charge_units < 0:
            raise InputError("The maximum cannot be negative.", value=max_charge_units)
        if not 1 <= len(fresh.id) <= NAME_CHARACTERS_MAX:
            raise InputError(f"An id has 1 to {NAME_CHARACTERS_MAX} characters.", value=fresh.id)
        if now_s >= self.session.expires_at:
            raise InputError(
                "The session key has expired: run `distributary account authorize NAME`.",
                value=self.session.key,
                code="key_expired",
            )
        request = sign_request(
            self.domain,
            Identity(self.session.account, self.source, fresh.id),
            body,
            max_charge_units=max_charge_units,
            expires_at=expires_at,
            salt=fresh.salt,
            key=self._key,
        )
        return SignedRequest(
            request_hash=request.purchase.request_hash,
            source=self.source,
            id=fresh.id,
            at=datetime.fromtimestamp(now_s, UTC).isoformat().replace("+00:00", "Z"),
            traceparent=f"00-{fresh.trace[:16].hex()}-{fresh.trace[16:24].hex()}-01",
            payload=request.payload().decode(),
        )


def write_body(
    *,
    model: str,
    prompt: str | None = None,
    messages: list[dict[str, str]] | None = None,
    datanet: str | None = None,
    adapter: str | None = None,
    agent: str | None = None,
    max_tokens: int | None = None,
    deadline_ms: int | None = None,
) -> dict[str, Any]:
    """The body of a request; what is None is left out.

    Raises:
        InputError: `bad_request` or `empty_prompt`.
    """
    given = {
        "model": model,
        "prompt": prompt,
        "messages": messages,
        "datanet": datanet,
        "adapter": adapter,
        "agent": agent,
        "settings": None if max_tokens is None else {"max_tokens": max_tokens},
        "deadline_ms": deadline_ms,
    }
    body = {name: value for name, value in given.items() if value is not None}
    read_body(body)
    return body
