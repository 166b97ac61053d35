"""Leaves as flat rows of octets, and what their hash is of: abi.encode(uint8, address, uint256).

Rows of arrays, not tuples, are what a million leaves are sorted, joined and hashed by.
"""

from binascii import unhexlify
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

HASH_BYTES: Final = 32
LEAF_BYTES: Final = 96
CHUNK_ROWS: Final = 2**16  # bounds what hashing takes besides leaves and nodes to some 30 MB
ADDRESS_CHARACTERS: Final = 42

Value = tuple[int, str, int]  # kind, address, cumulative units
Octets = NDArray[np.uint8]
Hasher = Callable[[Octets], Octets]
"""Hashes each row of octets; 32 octets a row."""


def encode(values: Sequence[Value]) -> Octets:
    """The ABI encoding of leaves, 96 octets a row.

    Raises:
        OverflowError: units below zero or above 2^256 - 1.
        ValueError: a kind is no uint8, or an address is not `0x` and 40 hex digits.
    """
    rows = np.zeros((len(values), LEAF_BYTES), np.uint8)
    rows[:, 31] = np.frombuffer(bytes([kind for kind, _, _ in values]), np.uint8)
    rows[:, 44:64] = _addresses([address for _, address, _ in values])
    words = b"".join([units.to_bytes(HASH_BYTES, "big") for _, _, units in values])
    rows[:, 64:] = np.frombuffer(words, np.uint8).reshape(-1, HASH_BYTES)
    return rows


def _addresses(addresses: Sequence[str]) -> Octets:
    if set(map(len, addresses)) != {ADDRESS_CHARACTERS}:
        raise ValueError("an address has 42 characters")
    text = "".join(addresses).encode("ascii")
    characters = np.frombuffer(text, np.uint8).reshape(-1, ADDRESS_CHARACTERS)
    if not (characters[:, :2] == (ord("0"), ord("x"))).all():
        raise ValueError("an address begins with 0x")
    digits = unhexlify(np.ascontiguousarray(characters[:, 2:]).data)
    return np.frombuffer(digits, np.uint8).reshape(-1, 20)


def hash_leaves(values: Sequence[Value], hash_rows: Hasher) -> Octets:
    """The hashes of leaves in their order; raises as `encode` does."""
    hashes = np.empty((len(values), HASH_BYTES), np.uint8)
    for start in range(0, len(values), CHUNK_ROWS):
        rows = encode(values[start : start + CHUNK_ROWS])
        hashes[start : start + len(rows)] = hash_rows(hash_rows(rows))
    return hashes


def hash_rows_in_c(rows: Octets) -> Octets:
    """keccak-256 of each row, one call after the other."""
    hash_, width, data = _keccak_256(), rows.shape[1], rows.tobytes()
    hashes = [hash_(data[at : at + width]).digest() for at in range(0, len(data), width)]
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES)


def keccak(data: bytes) -> bytes:
    """keccak-256 of some bytes."""
    digest: bytes = _keccak_256()(data).digest()
    return digest


def _keccak_256() -> Callable[[bytes], Any]:
    """Keccak in C; pycryptodome's takes seven times as long."""
    import sha3  # type: ignore[import-untyped]

    hash_: Callable[[bytes], Any] = sha3.keccak_256
    return hash_
