"""Files that no committed bundle names: what a bundle left that failed after it had written."""

from collections.abc import Set as AbstractSet
from pathlib import Path

from distributary.lake.files import answers_path


def sweep_orphans(lake: Path, epoch: int, committed: AbstractSet[str]) -> list[str]:
    """Deletes the files of an epoch that are not `committed`; call it under the epoch fence.

    Under the fence no commit is under way, so a file that is not recorded never will be.

    Returns:
        The names deleted, settlement Parquet only; their texts go with them.
    """
    folder = answers_path(lake, epoch, "any").parent
    orphans = sorted(path for path in folder.glob("*.parquet") if path.stem not in committed)
    for path in orphans:
        path.unlink(missing_ok=True)
        for texts in (lake / "texts").glob(f"*/{path.name}"):
            texts.unlink(missing_ok=True)
    return [path.stem for path in orphans]
