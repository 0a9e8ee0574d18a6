"""Locks of a gallery's one service and its one writer, and waiting until files are on the disk."""

import asyncio
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "writer.lock"
"""File in a gallery's folder that its writer locks."""

SERVICE_LOCK = "service.lock"
"""File that a service locks as soon as its main process starts."""


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
    while not _locks(file):
        if time.monotonic() >= last:
            os.close(file)
            raise GalleryInUseError(f"another process writes to the gallery at {folder}")
        await asyncio.sleep(0.2)
    return file


@contextmanager
def reserve(folder: Path, until: float) -> Iterator[None]:
    """Reserve the gallery in `folder` for one service until the block ends. That service's writer can still lock it.

    Args:
        until: time to give up waiting for another service or writer, by `time.monotonic`.

    Raises:
        GalleryInUseError: another process still serves the gallery or writes to it.
        OSError: the folder is not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _open(folder / SERVICE_LOCK) as ours, _open(folder / LOCK) as writers:
        for file, what in ((ours, "serves"), (writers, "writes to")):
            while not _locks(file):
                if time.monotonic() >= until:
                    raise GalleryInUseError(f"another process {what} the gallery at {folder}")
                time.sleep(0.1)
        fcntl.flock(writers, fcntl.LOCK_UN)
        yield


@contextmanager
def _open(lock: Path) -> Iterator[int]:
    file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield file
    finally:
        os.close(file)


def _locks(file: int) -> bool:
    """Try to lock an open file. The system releases the lock when the process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
