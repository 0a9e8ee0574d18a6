"""A sliding window over the recent calls of a stage in one process: how many, and how long they took."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WINDOW_S = 60
"""Length of the sliding window, in seconds."""
MAX_CALLS = 4096
"""Calls kept in the window. If there are more, only the newest count."""


@dataclass(frozen=True, slots=True)
class CallStatistics:
    """Statistics of a stage's recent calls.

    Attributes:
        ongoing: calls without an answer so far, queued ones included.
        recent: calls that ended within `WINDOW_S`, failed ones included; at most `MAX_CALLS`.
        p50_s, p95_s: median and 95th percentile of their durations in seconds (nearest rank); None without calls.
    """

    ongoing: int
    recent: int
    p50_s: float | None
    p95_s: float | None


class CallWindow:
    """The recent calls of one stage, or the recent requests of the service.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._ongoing = 0
        self._ended: deque[tuple[float, float]] = deque(maxlen=MAX_CALLS)

    def begin(self) -> None:
        """Count a call that begins. Every `begin` needs an `end`."""
        self._ongoing += 1

    def end(self, start: float, end: float) -> None:
        """Record the end of a call, whether it succeeded or failed.

        Args:
            start, end: times by the clock.
        """
        self._ongoing -= 1
        self._ended.append((end, end - start))

    @property
    def statistics(self) -> CallStatistics:
        """Statistics of the window that ends now."""
        since = self._clock() - WINDOW_S
        seconds = sorted(took for end, took in self._ended if end >= since)
        return CallStatistics(self._ongoing, len(seconds), _quantile(seconds, 0.5), _quantile(seconds, 0.95))


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
