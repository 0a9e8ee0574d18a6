"""Returning memory to the system."""

import contextlib
import ctypes
import mmap
from pathlib import Path

import pyarrow as pa

GROWTH = 32 * 2**20
"""Bytes by which a process has to grow before `MemoryReturner` returns memory again."""


def return_memory() -> None:
    """Return memory that is no longer used, which Arrow and the C library keep for later.

    Worthwhile after reading a whole column of a large table. Only glibc has `malloc_trim`.
    """
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class MemoryReturner:
    """Returns memory after this process has grown. LanceDB reads whole columns when a table's files were merged."""

    def __init__(self) -> None:
        self._least = _private_bytes()

    def check(self) -> None:
        """Return memory if the process is `GROWTH` larger than its smallest size since memory was last returned."""
        now = _private_bytes()
        if now > self._least + GROWTH:
            return_memory()
            self._least = _private_bytes()
        self._least = min(self._least, now)


def _private_bytes() -> int:
    """Return the resident memory of this process without files and shared memory, in bytes."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - shared) * mmap.PAGESIZE
