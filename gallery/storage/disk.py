"""Locks on a gallery's folder, and flushing files to disk."""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from project.files import sync

LOCK = "writer.lock"
"""File in a gallery's folder that the writer locks."""

SERVICE_LOCK = "service.lock"
"""File that a service's main process locks when it starts."""


class GalleryInUseError(Exception):
    """Another process serves the gallery or writes to it."""


async def lock(folder: Path, patience: float) -> int:
    """Lock the gallery in `folder` against other writers until the returned file descriptor is closed.

    Args:
        folder: created if it does not exist.
        patience: time to wait for another writer, in seconds.

    Raises:
        GalleryInUseError: another writer still holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + patience
    while not _locks(file):
        if time.monotonic() >= deadline:
            os.close(file)
            raise GalleryInUseError(f"another process writes to the gallery at {folder}")
        await asyncio.sleep(0.2)
    return file


@contextmanager
def reserve(folder: Path, until: float) -> Iterator[None]:
    """Reserve the gallery in `folder` for one service until the block ends. Its writer can still lock the gallery.

    Args:
        folder: created if it does not exist.
        until: time at which to stop waiting for another service or writer, by `time.monotonic`.

    Raises:
        GalleryInUseError: another process still serves the gallery or writes to it.
        OSError: the folder is not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / SERVICE_LOCK).open("a") as service, (folder / LOCK).open("a") as writer:
        for file, what in ((service, "serves"), (writer, "writes to")):
            while not _locks(file):
                if time.monotonic() >= until:
                    raise GalleryInUseError(f"another process {what} the gallery at {folder}")
                time.sleep(0.1)
        fcntl.flock(writer, fcntl.LOCK_UN)
        yield


def is_reserved(folder: Path) -> bool:
    """Whether a running service has reserved `folder`.

    False if the folder's disk was unmounted since, because another folder is there now.
    """
    try:
        with (folder / SERVICE_LOCK).open("r+") as file:
            return not _locks(file)
    except FileNotFoundError:
        return False


def _locks(file: int | TextIOWrapper) -> bool:
    """Try to lock an open file. The system releases the lock when the process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_tree(folder: Path) -> None:
    """Flush everything in `folder` to disk, which Lance does not do. Files may come and go in the meantime."""
    for path in (*folder.rglob("*"), folder):
        with suppress(FileNotFoundError):
            sync(path)


def age_tree(folder: Path, seconds: float) -> None:
    """Set the access and modification times of everything in `folder` to `seconds` ago."""
    then = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (then, then))
