"""The folder that holds the files of one table's mirror."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from pathlib import Path

from gallery.search.mapped_column import file_errors

LOCK_NAME = "lock"
_RETRY_S = 0.005


@asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[None]:
    """Keep other processes from changing the files in `folder`, which is created if it does not exist.

    Raises:
        MirrorFileError: the folder is not writable.
    """
    while True:
        with file_errors():
            folder.mkdir(parents=True, exist_ok=True)
            file = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(_RETRY_S)
            # The lock file may have been deleted with its folder meanwhile.
            if os.fstat(file).st_nlink:
                yield
                return
        finally:
            os.close(file)


def remove(folder: Path) -> None:
    """Delete a mirror's files. Processes that have them open write new ones when they next update their mirror."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_others(mirrors: Path, tables: Container[str]) -> None:
    """Delete the mirrors of all tables but `tables`."""
    for folder in mirrors.iterdir() if mirrors.is_dir() else ():
        if folder.name not in tables:
            remove(folder)
