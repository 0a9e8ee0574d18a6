"""Returning memory to the system."""

import numpy as np
import psutil

from gallery.storage.memory import GROWTH, MemoryReturner


def test_memory_is_returned_once_the_process_has_grown() -> None:
    memory, process = MemoryReturner(), psutil.Process()
    # Small enough for the C library to keep them, and a few stay, so that it does not return the rest by itself.
    arrays = [np.ones(2**13) for _ in range(4 * GROWTH // 2**16)]
    left = arrays[::50]
    del arrays
    before = process.memory_info().rss
    memory.check()
    assert process.memory_info().rss < before - 2 * GROWTH
    assert left
