"""Returning memory to the system."""

import contextlib
import ctypes

import pyarrow as pa


def return_memory() -> None:
    """Return memory that is no longer used, which Arrow and the C library keep for later.

    Worthwhile after reading a whole column of a large table. Only glibc has `malloc_trim`.
    """
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
