"""Integer weights: how much a word tells, and credit that divides without remainder."""

from typing import Final

WHOLE: Final = 1_000_000_000  # the weights of one answer sum to this, commons included
FRACTION_BITS: Final = 16
_MANTISSA_BITS: Final = 62

SHARERS_MAX: Final = 16
# Divisible by every number of sharers, so that equal claims get equal integers.
CREDIT_UNIT: Final = 720_720


def log2_fixed(numerator: int, denominator: int) -> int:
    """floor(2^16 log2(numerator / denominator)) but for the last bit, by integers alone.

    The binary digits of a logarithm by repeated squaring; the mantissa has 62 bits.

    Raises:
        ValueError: not numerator >= denominator > 0.
    """
    if not numerator >= denominator > 0:
        raise ValueError("The ratio must be at least one.")
    whole = (numerator // denominator).bit_length() - 1
    mantissa = (numerator << _MANTISSA_BITS) // (denominator << whole)
    logarithm = whole
    for _ in range(FRACTION_BITS):
        mantissa = mantissa * mantissa >> _MANTISSA_BITS
        carry = mantissa >> (_MANTISSA_BITS + 1)
        mantissa >>= carry
        logarithm = logarithm << 1 | carry
    return logarithm


def rarity(occurrences: int, documents: int) -> int:
    """How much a word tells, in 2^-16 bits: 0 for one as common as four to a document.

    An inverse document frequency; occurrences stand for documents, as only the first are an
    exact count of the index, and the factor four keeps a datanet of one document from weighing
    nothing.
    """
    ceiling = 4 * documents
    return log2_fixed(ceiling + 1, min(occurrences, ceiling) + 1)
