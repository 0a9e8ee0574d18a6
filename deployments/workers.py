"""The threads in which a replica's network runs."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from telemetry.timing import Timed, covered

Answer = TypeVar("Answer")


class Workers:
    """A few threads that stay; what is asked of them while all work waits its turn.

    Serve itself would start a new thread for nearly every call, whose memory and caches are cold, and
    would let all calls that it admits compete for the same cores.

    Args:
        count: of threads.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads = ThreadPoolExecutor(count, "worker")

    def __reduce__(self) -> tuple[type["Workers"], tuple[int]]:
        # They travel to the replica that they work in; threads do not.
        return Workers, (self._count,)

    @property
    def count(self) -> int:
        """How many threads there are."""
        return self._count

    async def run(self, *parts: Callable[[], Answer]) -> Timed[list[Answer]]:
        """Call each of `parts` in a thread, side by side as far as threads are free.

        If the caller gives up, those whose turn has not come are not called at all.

        Returns:
            Their answers in order; the time is that in which at least one of them was at work.
        """

        def timed(part: Callable[[], Answer]) -> tuple[Answer, tuple[float, float]]:
            started = time.perf_counter()
            answer = part()
            return answer, (started, time.perf_counter())

        loop = asyncio.get_running_loop()
        done = await asyncio.gather(*(loop.run_in_executor(self._threads, timed, part) for part in parts))
        return Timed([answer for answer, _ in done], covered(times for _, times in done))
