"""What lies on the disk: the lock of the one writer, and waiting until files are really there."""

import asyncio
import errno
import fcntl
import os
import time
from pathlib import Path

LOCK = "writer.lock"
"""The file in a gallery's folder by which a writer keeps others out."""


class GalleryInUseError(Exception):
    """Another process writes to the gallery."""


async def lock(folder: Path, patience: float) -> int:
    """Keep other writers out of the gallery in `folder` for as long as the file that is returned is open.

    Args:
        patience: seconds to wait for another writer to end.

    Raises:
        GalleryInUseError: it does not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    last = time.monotonic() + patience
    while True:
        try:
            # The system lets go of it with the process, however that ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= last:
                os.close(file)
                raise GalleryInUseError(f"another process writes to the gallery at {folder}") from None
            await asyncio.sleep(0.2)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_tree(folder: Path) -> None:
    """Wait until everything below `folder` is on the disk, which Lance does not do."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def is_full(error: BaseException) -> bool:
    """Whether it was raised since the disk has no room left; Lance tells that in its words alone."""
    return getattr(error, "errno", None) == errno.ENOSPC or f"(os error {errno.ENOSPC})" in str(error)
