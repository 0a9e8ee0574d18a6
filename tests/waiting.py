"""Waiting for a condition."""

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], seconds: float) -> None:
    """Wait until `condition` is true; fail after `seconds`."""
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.1)
