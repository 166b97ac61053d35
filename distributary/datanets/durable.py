"""Files that are there whole or not at all, also after a crash of the machine."""

import os
import threading
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Makes the bytes of a file that somebody else wrote durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Makes every file and name under `folder` durable."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        else:
            sync_file(path)
    sync_folder(folder)


def make_folder(folder: Path) -> None:
    """Makes `folder` and its parents, durably."""
    missing = [f for f in (folder, *folder.parents) if not f.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def place(path: Path, data: bytes) -> None:
    """Writes `path` through a temporary sibling; the name is durable after `sync_folder`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_durably(path: Path, data: bytes) -> None:
    """Replaces `path` atomically; when this returns, the new bytes survive a crash."""
    make_folder(path.parent)
    place(path, data)
    sync_folder(path.parent)
