"""Finding the settlement manifest that a person means: by its path, or by an epoch it covers."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from distributary.errors import InputError
from distributary.rewards.manifest import NAME

_FOLDER: Final = re.compile(r"(\d{8})-(\d{8})-(\d+)", re.ASCII)


def find_posting(lake: Path, posting: str) -> tuple[Path, Path]:
    """The lake and the settlement manifest of a posting.

    Args:
        lake: the lake folder, for an epoch.
        posting: an epoch, of whose postings the last one is taken; or the path of a
            settlement manifest or its folder, which stands in a lake of its own.

    Raises:
        InputError: `unknown_posting`.
    """
    if posting.isascii() and posting.isdigit():
        return lake, _of_epoch(lake, int(posting))
    path = Path(posting)
    path = (path / NAME if path.is_dir() else path).resolve()
    if not path.is_file() or path.parent.parent.name != "settlements":
        raise InputError(
            f"Give an epoch, or LAKE/settlements/…/{NAME}.", value=posting, code="unknown_posting"
        )
    return path.parents[2], path


class PostingFolder(NamedTuple):
    """A posting's folder; in the order in which attempts are made.

    A posting begins where the last active one ended, so a later first epoch is a later posting;
    of one first epoch the attempts are numbered, wherever they end.
    """

    from_epoch: int
    attempt: int
    to_epoch: int
    manifest: Path


def posting_folders(lake: Path) -> Iterator[PostingFolder]:
    """The postings of a lake that have a settlement manifest, in no order."""
    for path in (lake / "settlements").glob(f"*/{NAME}"):
        if match := _FOLDER.fullmatch(path.parent.name):
            yield PostingFolder(int(match[1]), int(match[3]), int(match[2]), path)


def _of_epoch(lake: Path, epoch: int) -> Path:
    found = [each for each in posting_folders(lake) if each.from_epoch <= epoch <= each.to_epoch]
    if not found:
        raise InputError(
            "No posting in this lake covers the epoch: it is not settled yet, or the lake is "
            "another one (DISTRIBUTARY_LAKE).",
            value=epoch,
            code="unknown_posting",
        )
    return max(found).manifest


def last_posting(lake: Path) -> Path:
    """The settlement manifest of the last posting of a lake.

    Raises:
        InputError: `unknown_posting`: there is none.
    """
    return _of_epoch(lake, max((each.to_epoch for each in posting_folders(lake)), default=0))
