"""The calls of a stage that one process saw lately: how many, and how long they took."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WINDOW_S = 60
"""Seconds that calls are remembered for."""
MOST = 4096
"""Calls that are remembered; of more in the window the newest count."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What was seen of a stage.

    Attributes:
        ongoing: calls that are not answered yet, those that wait for their turn among them.
        recent: calls that ended in the last `WINDOW_S` seconds, `MOST` at most, the failed ones too.
        p50_s, p95_s: seconds that half of them, and 95 of 100, took at most (nearest rank); None of no calls.
    """

    ongoing: int
    recent: int
    p50_s: float | None
    p95_s: float | None


class CallWindow:
    """Remembers the calls of one stage, or the requests of the service.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._ongoing = 0
        self._ended: deque[tuple[float, float]] = deque(maxlen=MOST)

    def begin(self) -> None:
        """Count a call that begins; `end` has to follow."""
        self._ongoing += 1

    def end(self, start: float, end: float) -> None:
        """Note that a call has ended, whatever came of it.

        Args:
            start, end: by the clock.
        """
        self._ongoing -= 1
        self._ended.append((end, end - start))

    @property
    def seen(self) -> Calls:
        """What was seen until now."""
        since = self._clock() - WINDOW_S
        seconds = sorted(took for end, took in self._ended if end >= since)
        return Calls(self._ongoing, len(seconds), _quantile(seconds, 0.5), _quantile(seconds, 0.95))


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
