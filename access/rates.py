"""Rate limits: one token bucket per caller."""

import time
from collections.abc import Callable

MAX_CALLERS = 10_000
"""Maximum number of callers remembered. The least recent ones are forgotten, and start with a full bucket again."""


class Rates:
    """Limits the request rate of each caller.

    Args:
        rate: sustained requests per second; 0 for no limit.
        burst: maximum number of requests in a burst after a pause.
        clock: monotonic time in seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, caller: str) -> float:
        """Count a request of `caller`, unless it exceeds the limit.

        Returns:
            Time until the caller may send a request, in seconds; 0 if it was counted.
        """
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, since = self._buckets.pop(caller, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        wait = max(0.0, (1 - tokens) / self._rate)
        self._buckets[caller] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > MAX_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        return wait
