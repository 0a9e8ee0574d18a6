"""How often a caller may ask: a token bucket each."""

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CALLERS = 10_000
"""Callers that are remembered; of more, those that asked longest ago are forgotten, and begin anew."""


class Rates:
    """Counts what callers ask.

    Args:
        rate: requests a second that a caller may ask in the long run; 0 for any number.
        burst: requests that it may ask at once after a pause.
        clock: seconds.
        most: callers that are remembered.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic, most: int = MOST_CALLERS
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str) -> float:
        """Count a request of `caller`, unless it must wait.

        Returns:
            Seconds until it may ask again, and 0 where it need not wait.
        """
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, since = self._buckets.pop(caller, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        wait = max(0.0, (1 - tokens) / self._rate)
        self._buckets[caller] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait
