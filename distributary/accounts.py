"""Accounts: the state record that the inference job reads, and the delegation of session keys."""

import json
import re
from dataclasses import dataclass
from typing import Any

from distributary.errors import InputError
from distributary.identity import Domain, parse_address
from distributary.strict_json import parse_json

_SIGNATURE = re.compile("0x[0-9a-fA-F]{130}")


@dataclass(frozen=True)
class Delegation:
    """An account's permission for a session key, signed by the account (EIP-712).

    Attributes:
        key: Ed25519 public key, hex.
        expires_at: Unix seconds after which the key signs for nobody.
        signature: the account's signature of `delegation_typed_data`, 0x and hex.
    """

    key: str
    expires_at: int
    signature: str


@dataclass(frozen=True)
class AccountState:
    """One whole record of `accounts.state`, keyed by the account's address.

    Attributes:
        account: the address.
        version: rises with every record of the account; an older one is ignored.
        credit_units: what the account may still spend, base units.
        credit_source: `deposit` once the account has one on the chain, before that `grant`.
        frozen: whether new requests are refused.
        delegations: the session keys.
        answers: next offset by partition of the answers already counted into `credit_units`.
    """

    account: str
    version: int
    credit_units: int
    credit_source: str
    frozen: bool
    delegations: tuple[Delegation, ...]
    answers: tuple[int, ...] = ()

    def may_sign(self, key: str, at_s: int) -> bool:
        """Whether session key `key` is delegated at Unix second `at_s`."""
        for delegation in self.delegations:
            if delegation.key == key and at_s < delegation.expires_at:
                return True
        return False

    def payload(self) -> bytes:
        """The record value."""
        return json.dumps(
            {
                "account": self.account,
                "version": self.version,
                "credit_units": str(self.credit_units),
                "credit_source": self.credit_source,
                "frozen": self.frozen,
                "delegations": [vars(d) for d in self.delegations],
                "answers": list(self.answers),
            },
            separators=(",", ":"),
        ).encode()


def read_account(payload: bytes) -> AccountState:
    """Reads a record value.

    Raises:
        InputError: it is not an account record.
    """
    parsed = parse_json(payload)
    try:
        return AccountState(
            account=parse_address(parsed["account"]),
            version=int(parsed["version"]),
            credit_units=int(parsed["credit_units"]),
            credit_source=str(parsed["credit_source"]),
            frozen=bool(parsed["frozen"]),
            delegations=tuple(Delegation(**d) for d in parsed["delegations"]),
            answers=tuple(parsed["answers"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"Not an account record: {error!r}.", code="bad_account") from error


def delegation_typed_data(
    domain: Domain, account: str, key: str, expires_at: int
) -> dict[str, Any]:
    """The EIP-712 message that an account signs to delegate a session key."""
    return {
        "domain": {
            "name": "Distributary",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "primaryType": "Delegation",
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Delegation": [
                {"name": "account", "type": "address"},
                {"name": "sessionKey", "type": "bytes32"},
                {"name": "expiresAt", "type": "uint64"},
            ],
        },
        "message": {"account": account, "sessionKey": "0x" + key, "expiresAt": expires_at},
    }


def sign_delegation(domain: Domain, private_key: str, key: str, expires_at: int) -> Delegation:
    """Delegates session key `key` (hex) with an account's private key (0x and hex)."""
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    owner = Account.from_key(private_key)
    typed = delegation_typed_data(domain, owner.address, key, expires_at)
    signed = owner.sign_message(encode_typed_data(full_message=typed))
    return Delegation(key, expires_at, "0x" + bytes(signed.signature).hex())


def delegation_is_valid(domain: Domain, account: str, delegation: Delegation) -> bool:
    """Whether the account signed this delegation for this domain."""
    from eth_account import Account
    from eth_account.messages import encode_typed_data
    from eth_keys.exceptions import BadSignature

    if not _SIGNATURE.fullmatch(delegation.signature):
        return False
    typed = delegation_typed_data(domain, account, delegation.key, delegation.expires_at)
    try:
        signer = Account.recover_message(
            encode_typed_data(full_message=typed), signature=delegation.signature
        )
    except (ValueError, BadSignature):
        return False
    return bool(signer.lower() == account)
