"""What the builder and the reader of an index agree on."""

import hashlib
from pathlib import Path

from distributary.errors import DistributaryError


class IndexUnavailableError(DistributaryError):
    """The index of a datanet manifest is missing or damaged; nothing may be paid without it."""

    code = "index_unavailable"


def pointer_bytes(size: int) -> int:
    """How many bytes infini-gram takes for a pointer into `size` bytes of text, at least one."""
    return max(1, ((size - 1).bit_length() + 7) // 8)


def digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
