"""keccak-256 by a kernel that numba compiles: the extra `fast`, for trees of many leaves.

keccak-256 as in the Keccak reference, version 3.0, section 1.2 (rate 1,088 bits, padding 0x01 …
0x80), for messages of one block; a test holds it equal to the one in C. Compiling takes some
seconds once; the result is kept beside this file.
"""

from typing import Any, Final

import numba
import numpy as np

from distributary.merkle_leaves import Octets

ROUNDS: Final = 24
MASK: Final = 2**64 - 1


def _round_constants() -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """The 24 constants of iota, from the linear feedback shift register that defines them."""
    register, constants = 1, []
    for _ in range(ROUNDS):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant & MASK)
    return np.array(constants, np.uint64)


CONSTANTS: Final = _round_constants()


@numba.njit(cache=True, inline="always")
def _turn(lane: Any, bits: int) -> Any:
    """A lane turned left."""
    return lane << np.uint64(bits) | lane >> np.uint64(64 - bits)


@numba.njit(cache=True)
def _permute(s: Any) -> None:
    """keccak-f[1600] on 25 lanes; written out, since only named values stay in registers."""
    a0, a1, a2, a3, a4 = s[0], s[1], s[2], s[3], s[4]
    a5, a6, a7, a8, a9 = s[5], s[6], s[7], s[8], s[9]
    a10, a11, a12, a13, a14 = s[10], s[11], s[12], s[13], s[14]
    a15, a16, a17, a18, a19 = s[15], s[16], s[17], s[18], s[19]
    a20, a21, a22, a23, a24 = s[20], s[21], s[22], s[23], s[24]
    for number in range(ROUNDS):
        c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20
        c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21
        c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22
        c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23
        c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24
        d0 = c4 ^ _turn(c1, 1)
        d1 = c0 ^ _turn(c2, 1)
        d2 = c1 ^ _turn(c3, 1)
        d3 = c2 ^ _turn(c4, 1)
        d4 = c3 ^ _turn(c0, 1)
        b0 = a0 ^ d0
        b1 = _turn(a6 ^ d1, 44)
        b2 = _turn(a12 ^ d2, 43)
        b3 = _turn(a18 ^ d3, 21)
        b4 = _turn(a24 ^ d4, 14)
        b5 = _turn(a3 ^ d3, 28)
        b6 = _turn(a9 ^ d4, 20)
        b7 = _turn(a10 ^ d0, 3)
        b8 = _turn(a16 ^ d1, 45)
        b9 = _turn(a22 ^ d2, 61)
        b10 = _turn(a1 ^ d1, 1)
        b11 = _turn(a7 ^ d2, 6)
        b12 = _turn(a13 ^ d3, 25)
        b13 = _turn(a19 ^ d4, 8)
        b14 = _turn(a20 ^ d0, 18)
        b15 = _turn(a4 ^ d4, 27)
        b16 = _turn(a5 ^ d0, 36)
        b17 = _turn(a11 ^ d1, 10)
        b18 = _turn(a17 ^ d2, 15)
        b19 = _turn(a23 ^ d3, 56)
        b20 = _turn(a2 ^ d2, 62)
        b21 = _turn(a8 ^ d3, 55)
        b22 = _turn(a14 ^ d4, 39)
        b23 = _turn(a15 ^ d0, 41)
        b24 = _turn(a21 ^ d1, 2)
        a0 = b0 ^ (~b1 & b2) ^ CONSTANTS[number]
        a1 = b1 ^ (~b2 & b3)
        a2 = b2 ^ (~b3 & b4)
        a3 = b3 ^ (~b4 & b0)
        a4 = b4 ^ (~b0 & b1)
        a5 = b5 ^ (~b6 & b7)
        a6 = b6 ^ (~b7 & b8)
        a7 = b7 ^ (~b8 & b9)
        a8 = b8 ^ (~b9 & b5)
        a9 = b9 ^ (~b5 & b6)
        a10 = b10 ^ (~b11 & b12)
        a11 = b11 ^ (~b12 & b13)
        a12 = b12 ^ (~b13 & b14)
        a13 = b13 ^ (~b14 & b10)
        a14 = b14 ^ (~b10 & b11)
        a15 = b15 ^ (~b16 & b17)
        a16 = b16 ^ (~b17 & b18)
        a17 = b17 ^ (~b18 & b19)
        a18 = b18 ^ (~b19 & b15)
        a19 = b19 ^ (~b15 & b16)
        a20 = b20 ^ (~b21 & b22)
        a21 = b21 ^ (~b22 & b23)
        a22 = b22 ^ (~b23 & b24)
        a23 = b23 ^ (~b24 & b20)
        a24 = b24 ^ (~b20 & b21)
    s[0], s[1], s[2], s[3], s[4] = a0, a1, a2, a3, a4
    s[5], s[6], s[7], s[8], s[9] = a5, a6, a7, a8, a9
    s[10], s[11], s[12], s[13], s[14] = a10, a11, a12, a13, a14
    s[15], s[16], s[17], s[18], s[19] = a15, a16, a17, a18, a19
    s[20], s[21], s[22], s[23], s[24] = a20, a21, a22, a23, a24


@numba.njit(cache=True)
def _hash_words(rows: Any) -> Any:
    """keccak-256 of each row of little-endian words."""
    count, words = rows.shape
    hashes = np.empty((count, 4), np.uint64)
    a = np.zeros(25, np.uint64)
    for row in range(count):
        a[:] = 0
        for word in range(words):
            a[word] = rows[row, word]
        a[words] ^= np.uint64(1)
        a[16] ^= np.uint64(1) << np.uint64(63)
        _permute(a)
        for word in range(4):
            hashes[row, word] = a[word]
    return hashes


def hash_rows(rows: Octets) -> Octets:
    """keccak-256 of each row of octets: whole 64-bit words, at most 16 of them."""
    hashes: Octets = _hash_words(rows.view("<u8")).view(np.uint8)
    return hashes
