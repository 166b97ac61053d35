"""Key files: an account's own key and its session key, readable by their owner only.

`HOME/keys/NAME.account.json` holds the secp256k1 key that owns the address and signs delegations;
`HOME/keys/NAME.session.json` the Ed25519 key that signs requests. Sending needs the second alone.
"""

import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from distributary.errors import InputError

_NAME = re.compile(r"[a-z0-9-]{1,63}")
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class AccountKey:
    """The key that owns an address; `private_key` is 0x and hex, never shown."""

    address: str
    private_key: str = field(repr=False)


@dataclass(frozen=True)
class SessionKey:
    """A key that signs requests of an account.

    Attributes:
        account: the address it signs for.
        key: Ed25519 public key, hex.
        private_key: hex, never shown.
        expires_at: Unix seconds at which its delegation ends.
    """

    account: str
    key: str
    private_key: str = field(repr=False)
    expires_at: int

    @property
    def signer(self) -> Ed25519PrivateKey:
        """The key as `cryptography` has it."""
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.private_key))


def parse_name(name: str) -> str:
    """Returns the local name of an account.

    Raises:
        InputError: not 1 to 63 of a-z, 0-9 and -.
    """
    if not _NAME.fullmatch(name):
        raise InputError("A name is 1 to 63 of a-z, 0-9 and -.", value=name)
    return name


def account_file(home: Path, name: str) -> Path:
    """Where the account key is kept."""
    return home / "keys" / f"{parse_name(name)}.account.json"


def session_file(home: Path, name: str) -> Path:
    """Where the session key is kept."""
    return home / "keys" / f"{parse_name(name)}.session.json"


def write_private(path: Path, text: str, *, replace: bool) -> None:
    """Writes a file that only its owner can read, whole or not at all.

    Raises:
        InputError: `key_exists`: it is there and `replace` is not set.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not replace and path.exists():
        raise InputError("It exists already.", value=str(path), code="key_exists")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if replace:
            temporary.replace(path)
        else:
            _link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError as error:
        raise InputError("It exists already.", value=str(path), code="key_exists") from error


def check_private(path: Path) -> None:
    """Refuses a file that others than its owner can read or write.

    Raises:
        InputError: `key_readable`; the file is named.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~OWNER_ONLY:
        raise InputError(
            f"Others can use this file (mode {mode:o}): run chmod 600 on it, and make a new key if "
            "somebody may have read it.",
            value=str(path),
            code="key_readable",
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        check_private(path)
        parsed = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(
            "No such key: see `distributary account show`, or make one with `distributary account "
            "create NAME`.",
            value=str(path),
            code="no_key",
        ) from error
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(parsed, dict):
        raise _damaged(path)
    return parsed


def _damaged(path: Path) -> InputError:
    return InputError("The key file is damaged: restore it.", value=str(path), code="bad_key")


def make_account_key(home: Path, name: str) -> AccountKey:
    """Makes a new address and keeps its key.

    Raises:
        InputError: `key_exists`, or a bad name.
    """
    from eth_account import Account

    made = Account.create()
    key = AccountKey(made.address.lower(), "0x" + bytes(made.key).hex())
    write_private(account_file(home, name), json.dumps(vars(key)), replace=False)
    return key


def load_account_key(home: Path, name: str) -> AccountKey:
    """Reads an account key.

    Raises:
        InputError: `no_key`, `bad_key`, `key_readable`, or a bad name.
    """
    path = account_file(home, name)
    try:
        return AccountKey(**_read(path))
    except TypeError as error:
        raise _damaged(path) from error


def new_session_key(account: str, expires_at: int) -> SessionKey:
    """Makes a session key; nothing is stored."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw().hex()
    return SessionKey(account, public, private.private_bytes_raw().hex(), expires_at)


def save_session_key(home: Path, name: str, key: SessionKey) -> None:
    """Keeps a session key in place of the one before."""
    write_private(session_file(home, name), json.dumps(vars(key)), replace=True)


def load_session_key(home: Path, name: str) -> SessionKey:
    """Reads a session key.

    Raises:
        InputError: `no_key`, `bad_key`, `key_readable`, or a bad name.
    """
    path = session_file(home, name)
    try:
        return SessionKey(**_read(path))
    except TypeError as error:
        raise _damaged(path) from error


def account_names(home: Path) -> list[str]:
    """The local names that have a key file of either kind."""
    suffixes = (".account.json", ".session.json")
    files = [path.name for path in (home / "keys").glob("*.json")]
    return sorted({f.removesuffix(s) for f in files for s in suffixes if f.endswith(s)})


def only_name(home: Path) -> str:
    """The local account where there is one only.

    Raises:
        InputError: there is none, or several to choose from.
    """
    names = account_names(home)
    if len(names) == 1:
        return names[0]
    if not names:
        raise InputError("There is no account here: run `distributary account create NAME`.")
    raise InputError("Say which account with --account.", value=", ".join(names))
