"""Waiting for a condition."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 60
"""Time in seconds after which a test that hangs fails: generous, because other work can slow the machine down."""


def until(condition: Callable[[], Any], seconds: float = TIMEOUT_S) -> None:
    """Wait until `condition` is true; fail after `seconds`."""
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.1)


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait in the event loop until `condition` is true; fail after `TIMEOUT_S`."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():
            await asyncio.sleep(0.005)
