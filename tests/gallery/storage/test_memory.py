"""Returning memory to the system."""

from unittest.mock import Mock

import numpy as np
import psutil
import pytest

import gallery.storage.memory
from gallery.storage.memory import GROWTH, MemoryReturner


def test_memory_is_returned_whenever_the_process_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    returned = Mock(side_effect=gallery.storage.memory.return_memory)
    monkeypatch.setattr(gallery.storage.memory, "return_memory", returned)
    memory, process = MemoryReturner(), psutil.Process()
    for times in (1, 2):
        # Small enough for the C library to keep them, and a few stay, so that it does not return the rest by itself.
        arrays = [np.ones(2**13) for _ in range(4 * GROWTH // 2**16)]
        left = arrays[::50]
        del arrays
        before = process.memory_info().rss
        memory.check()
        assert process.memory_info().rss < before - 2 * GROWTH
        memory.check()
        assert returned.call_count == times
        del left


def test_memory_that_was_in_use_at_first_is_returned_by_a_later_check() -> None:
    memory, process = MemoryReturner(), psutil.Process()
    arrays = [np.ones(2**13) for _ in range(4 * GROWTH // 2**16)]
    memory.check()
    left = arrays[::50]
    del arrays
    before = process.memory_info().rss
    memory.check()
    assert process.memory_info().rss < before - 2 * GROWTH
    del left
