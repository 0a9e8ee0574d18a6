"""The threads that run a replica's model."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from telemetry.request_record import TimedAnswer, covered

Answer = TypeVar("Answer")


class Workers:
    """A fixed number of threads. Calls wait until one is free.

    Without this limit, Serve would start a new thread for nearly every call, and all admitted calls would compete for
    the same cores.

    Args:
        count: number of threads.

    Attributes:
        count: number of threads.
        busy_s: seconds in which threads have been running, summed over the threads. Excludes calls in progress.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._threads = ThreadPoolExecutor(count, "worker")
        self.busy_s, self._lock = 0.0, Lock()

    def __reduce__(self) -> tuple[type["Workers"], tuple[int]]:
        # Pickled without its threads and sent to the replica.
        return Workers, (self.count,)

    def submit(self, job: Callable[[], None]) -> None:
        """Call `job` in a thread when one is free."""
        self._threads.submit(self._timed, job)

    async def run(self, *parts: Callable[[], Answer]) -> TimedAnswer[list[Answer]]:
        """Call each of `parts` in a thread, in parallel as far as threads are free.

        If the call is cancelled, parts that have not started are not called.

        Returns:
            The results in order, with the time during which at least one part was running.
        """
        loop = asyncio.get_running_loop()
        done = await asyncio.gather(*(loop.run_in_executor(self._threads, self._timed, part) for part in parts))
        return TimedAnswer([answer for answer, _ in done], covered(times for _, times in done))

    def _timed(self, part: Callable[[], Answer]) -> tuple[Answer, tuple[float, float]]:
        started = time.perf_counter()
        try:
            answer = part()
        finally:
            ended = time.perf_counter()
            with self._lock:
                self.busy_s += ended - started
        return answer, (started, ended)
