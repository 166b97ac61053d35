"""Who signs: an encrypted key file, or a signer elsewhere; nobody in a dry run."""

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from distributary.keys import write_private
from orchestration.settlement.stops import StopError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction: the bytes to send, and the hash that it will be known by."""

    raw: bytes = field(repr=False)
    hash: bytes


class Signer(Protocol):
    """Signs EIP-1559 transactions of one address."""

    address: str

    def sign(self, transaction: Mapping[str, Any]) -> Signed:
        """Signs; nothing is sent.

        Raises:
            StopError: `signer_refused`.
        """


class KeystoreSigner:
    """An encrypted key file (Web3 Secret Storage), opened with the password in another file."""

    def __init__(self, account: "LocalAccount") -> None:
        self._account = account
        self.address: str = account.address.lower()

    def __repr__(self) -> str:
        return f"KeystoreSigner({self.address})"

    @staticmethod
    def open(path: Path, password_file: Path) -> "KeystoreSigner":
        """Reads and decrypts the key.

        Raises:
            StopError: `key_missing`, `key_readable`, `key_refused`.
        """
        from eth_account import Account

        sealed, password = _read_private(path), _read_private(password_file).strip()
        try:
            key = Account.decrypt(json.loads(sealed), password)
        except (ValueError, KeyError, TypeError):
            # The library's own message is dropped: it may quote what it was given.
            raise StopError("key_refused", value=str(path)) from None
        return KeystoreSigner(Account.from_key(key))

    def sign(self, transaction: Mapping[str, Any]) -> Signed:
        """Signs with the key in memory."""
        signed = self._account.sign_transaction(dict(transaction))
        return Signed(bytes(signed.raw_transaction), bytes(signed.hash))


class RemoteSigner:
    """A signer that speaks `eth_signTransaction` (web3signer, clef): the key is never here."""

    def __init__(self, url: str, address: str, timeout_s: float = 30.0) -> None:
        self._url, self.address, self._timeout_s = url, address.lower(), timeout_s

    def sign(self, transaction: Mapping[str, Any]) -> Signed:
        """Asks for a signature, and checks that it is of this address and this transaction."""
        from eth_account import Account
        from eth_utils.crypto import keccak
        from web3 import HTTPProvider

        given = {k: hex(v) if isinstance(v, int) else v for k, v in transaction.items()}
        request = given | {"from": self.address, "gas": given["gas"]}
        try:
            provider = HTTPProvider(self._url, request_kwargs={"timeout": self._timeout_s})
            answer = provider.make_request("eth_signTransaction", [request])
            result: Any = answer.get("result")
            raw = bytes.fromhex(str(result["raw"] if isinstance(result, dict) else result)[2:])
            sender = Account.recover_transaction(raw).lower()
        except Exception as error:
            raise StopError("signer_refused", value=type(error).__name__) from None
        if sender != self.address or not _is_of(raw, transaction):
            raise StopError("signer_refused", "It signed something else.", value=sender)
        return Signed(raw, keccak(raw))


def _is_of(raw: bytes, transaction: Mapping[str, Any]) -> bool:
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    decoded = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    names = ("chainId", "nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "value")
    same = all(decoded[name] == transaction[name] for name in names)
    addressed = bytes(decoded["to"]).hex() == str(transaction["to"])[2:].lower()
    return same and addressed and bytes(decoded["data"]).hex() == str(transaction["data"])[2:]


def write_keystore(path: Path, password_file: Path, private_key: str) -> str:
    """Encrypts a key (0x and hex) into `path`, readable by its owner only.

    Returns:
        The address.

    Raises:
        StopError: `key_missing`, `key_readable`: of the password file.
        InputError: `key_exists`.
    """
    from eth_account import Account

    password = _read_private(password_file).strip()
    sealed = Account.encrypt(bytes.fromhex(private_key[2:]), password)
    write_private(path, json.dumps(sealed), replace=False)
    return str(Account.from_key(private_key).address).lower()


def _read_private(path: Path) -> str:
    """Reads a file that nobody else may read."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        raise StopError("key_missing", value=str(path)) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StopError("key_readable", value=str(path))
    return text
