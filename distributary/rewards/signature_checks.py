"""The signatures of charged rows, all of them or a sample that nobody chooses."""

from enum import StrEnum
from typing import Final

import pyarrow as pa

from distributary.requests import verify_signature
from distributary.rewards.row_checks import RowFindings, rows_of

SAMPLE_EVERY: Final = 100  # one signature in so many, chosen by the request hash itself


class Signatures(StrEnum):
    """Which signatures are verified."""

    ALL = "all"
    SAMPLE = "sample"
    NONE = "none"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are looked at."""
        return () if self is Signatures.NONE else ("request_hash", "key", "signature")


def is_sampled(request_hash: str) -> bool:
    """Whether a row is in the sample: every verifier takes the same."""
    return int(request_hash[:8], 16) % SAMPLE_EVERY == 0


def check_signatures(table: pa.Table, which: Signatures, found: RowFindings) -> None:
    """Verifies signatures and notes those that fail."""
    if which is Signatures.NONE:
        return
    for request_hash, key, signature in rows_of(table, *which.columns):
        if which is Signatures.SAMPLE and not is_sampled(request_hash):
            continue
        found.signatures += 1
        if not verify_signature(request_hash, key, signature):
            found.fail("signature", request_hash)
