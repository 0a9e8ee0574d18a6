"""Waiting for what comes in its own time."""

import time
from collections.abc import Callable
from typing import Any


def until(true: Callable[[], Any], seconds: float) -> None:
    """Ask again and again, until it is `true`; after so many seconds it is not, and the test fails."""
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last
        time.sleep(0.2)
