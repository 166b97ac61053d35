"""A request: what is signed, how its hash is made, and how one is read from bytes.

The request hash is SHA-256 over RFC 8785 of the *purchase*: domain, identity, maximum, expiry and
the body's hash. The body is hashed apart, with the salt, so that the maximum, the expiry and the
signature can be checked by anyone without anyone's prompt (invariant I8), and an erased prompt
cannot be guessed from its hash.
"""

import re
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from distributary.canonical import canonical_hash, canonical_json
from distributary.errors import InputError
from distributary.fast_json import read_json
from distributary.identity import Domain, Identity, parse_address

SALT_BYTES = 16
_HEX = {32: re.compile(r"[0-9a-f]{32}"), 64: re.compile(r"[0-9a-f]{64}")}
_HEX[128] = re.compile(r"[0-9a-f]{128}")


def _hex(payload: dict[str, Any], name: str, digits: int) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not _HEX[digits].fullmatch(value):
        raise InputError(f"`{name}` must be {digits} lower-case hex digits.", code="bad_envelope")
    return value


class Purchase(NamedTuple):
    """All that the signature covers; made only by `make_purchase` or `read_request`.

    Attributes:
        identity: who asks, and under which name.
        body_hash: SHA-256 of the salted body, hex.
        max_charge_units: decimal digits of the most that may be charged, in base units. Text as
            signed; whether it is a usable number is decided at admission.
        expires_at: Unix seconds, as signed; likewise.
        request_hash: what is charged, once; hex.
    """

    identity: Identity
    body_hash: str
    max_charge_units: Any
    expires_at: Any
    request_hash: str


class Request(NamedTuple):
    """A request as it travels: the purchase, the body, and the session key's signature."""

    purchase: Purchase
    body: Any
    salt: str
    key: str
    signature: str

    def payload(self) -> bytes:
        """The record value on `inference.requests`; the same bytes at every attempt."""
        return canonical_json(
            {
                "account": self.purchase.identity.account,
                "body": self.body,
                "expires_at": self.purchase.expires_at,
                "key": self.key,
                "max_charge_units": self.purchase.max_charge_units,
                "salt": self.salt,
                "signature": self.signature,
            }
        )


def request_hash(
    domain: Domain, identity: Identity, body_hash: str, max_charge_units: Any, expires_at: Any
) -> str:
    """The request hash, from exactly what the settlement Parquet holds of a request."""
    return canonical_hash(
        {
            "account": identity.account,
            "body_hash": body_hash,
            "chain_id": domain.chain_id,
            "contract": domain.contract,
            "expires_at": expires_at,
            "id": identity.id,
            "max_charge_units": max_charge_units,
            "source": identity.source,
        }
    )


def make_purchase(
    domain: Domain,
    identity: Identity,
    body: Any,
    salt: str,
    max_charge_units: Any,
    expires_at: Any,
) -> Purchase:
    """Hashes a body and all that is signed with it.

    Raises:
        InputError: `not_canonical`: a number that RFC 8785 cannot write.
    """
    body_hash = canonical_hash({"body": body, "salt": salt})
    hashed = request_hash(domain, identity, body_hash, max_charge_units, expires_at)
    return Purchase(identity, body_hash, max_charge_units, expires_at, hashed)


def sign_request(
    domain: Domain,
    identity: Identity,
    body: dict[str, Any],
    *,
    max_charge_units: int,
    expires_at: int,
    salt: bytes,
    key: Ed25519PrivateKey,
) -> Request:
    """Signs a request with a session key.

    Args:
        domain: chain and contract.
        identity: account, source and id.
        body: what `inference.request.v1.json` calls `body`.
        max_charge_units: the most that may be charged, base units.
        expires_at: Unix seconds.
        salt: 16 random bytes.
        key: the session key.

    Raises:
        InputError: the salt has another length, or the body is not canonical JSON.
    """
    if len(salt) != SALT_BYTES:
        raise InputError(f"The salt must have {SALT_BYTES} bytes.", value=len(salt))
    purchase = make_purchase(domain, identity, body, salt.hex(), str(max_charge_units), expires_at)
    signature = key.sign(bytes.fromhex(purchase.request_hash))
    public = key.public_key().public_bytes_raw().hex()
    return Request(purchase, body, salt.hex(), public, signature.hex())


def read_request(payload: bytes, source: str, event_id: str, domain: Domain) -> Request:
    """Reads a record value; the signature is not verified yet, the body not validated.

    Raises:
        InputError: `not_utf8`, `not_json`, `duplicate_key`, `bad_envelope`, `bad_address` or
            `not_canonical`: nobody can be answered, the record is a dead letter.
    """
    parsed = read_json(payload)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("account"), str):
        raise InputError("Not an object with an `account`.", code="bad_envelope")
    salt = _hex(parsed, "salt", 2 * SALT_BYTES)
    purchase = make_purchase(
        domain,
        Identity(parse_address(parsed["account"]), source, event_id),
        parsed.get("body"),
        salt,
        parsed.get("max_charge_units"),
        parsed.get("expires_at"),
    )
    key, signature = _hex(parsed, "key", 64), _hex(parsed, "signature", 128)
    return Request(purchase, parsed.get("body"), salt, key, signature)


def verify_signature(request_hash_hex: str, key: str, signature: str) -> bool:
    """Whether `signature` (hex) of the request hash was made by the session key `key` (hex).

    By libsodium: RFC 8032 without the cofactor, as OpenSSL does in twice the time, and keys of
    small order, whose signatures could be of any message, are refused. So what passes here passes
    there as well.
    """
    try:
        signed = bytes.fromhex(signature + request_hash_hex)
        crypto_sign_open(signed, bytes.fromhex(key))
    except (CryptoError, ValueError):
        return False
    return True
