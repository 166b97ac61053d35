"""Which of several postings of an epoch is meant: the one that was made last."""

from pathlib import Path

import pytest

from distributary.rewards.finding_postings import find_posting, last_posting
from distributary.rewards.manifest import NAME


def lake_with(folder: Path, *postings: str) -> Path:
    for posting in postings:
        path = folder / "settlements" / posting / NAME
        path.parent.mkdir(parents=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("epoch", "postings", "last"),
    [
        # Nine attempts and a tenth: numbers, not texts.
        (1, ["00000001-00000001-9", "00000001-00000001-10"], "00000001-00000001-10"),
        # Three epochs together were rejected often; then the first went alone, and the others.
        (
            2,
            ["00000001-00000003-5", "00000001-00000001-6", "00000002-00000003-1"],
            "00000002-00000003-1",
        ),
        # A later attempt covers fewer epochs.
        (1, ["00000001-00000003-1", "00000001-00000001-2"], "00000001-00000001-2"),
    ],
)
def test_find_posting__several_attempts__is_the_last_one_made(
    tmp_path: Path, epoch: int, postings: list[str], last: str
) -> None:
    lake = lake_with(tmp_path, *postings)

    assert find_posting(lake, str(epoch))[1].parent.name == last


def test_last_posting__covers_the_newest_epoch(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, "00000001-00000003-1", "00000004-00000004-1", "00000001-00000001-2")

    assert last_posting(lake).parent.name == "00000004-00000004-1"
