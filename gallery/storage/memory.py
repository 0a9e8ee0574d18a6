"""Returning memory to the system."""

import contextlib
import ctypes
import mmap
from pathlib import Path

import pyarrow as pa

GROWTH = 32 * 2**20
"""Bytes by which a process has to grow before `MemoryReturner` returns memory."""
STEP = 8 * 2**20
"""Bytes by which this limit rises whenever memory is returned.

Memory that is in use at that time may be freed later. It is therefore returned again, at each check until the limit
exceeds the memory that stays in use.
"""


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
        self._base = _private_bytes()

    def check(self) -> None:
        """Return memory if the process has grown."""
        if _private_bytes() > self._base + GROWTH:
            return_memory()
            self._base += STEP
        self._base = min(self._base, _private_bytes())


def _private_bytes() -> int:
    """Return the resident memory of this process without files and shared memory, in bytes."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - shared) * mmap.PAGESIZE
