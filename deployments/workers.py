"""The threads that run a replica's model."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from telemetry.request_record import TimedAnswer, covered

Answer = TypeVar("Answer")


class Workers:
    """A fixed number of threads. Calls wait until one is free.

    Without it, Serve would start a new thread for nearly every call, and all admitted calls would compete for the same
    cores.

    Args:
        count: number of threads.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads = ThreadPoolExecutor(count, "worker")

    def __reduce__(self) -> tuple[type["Workers"], tuple[int]]:
        # Pickled without its threads and sent to the replica.
        return Workers, (self._count,)

    def submit(self, job: Callable[[], None]) -> None:
        """Call `job` in a thread when one is free."""
        self._threads.submit(job)

    async def run(self, *parts: Callable[[], Answer]) -> TimedAnswer[list[Answer]]:
        """Call each of `parts` in a thread, in parallel as far as threads are free.

        If the call is cancelled, parts that have not started are not called.

        Returns:
            The results in order, with the time during which at least one part was running.
        """

        def timed(part: Callable[[], Answer]) -> tuple[Answer, tuple[float, float]]:
            started = time.perf_counter()
            answer = part()
            return answer, (started, time.perf_counter())

        loop = asyncio.get_running_loop()
        done = await asyncio.gather(*(loop.run_in_executor(self._threads, timed, part) for part in parts))
        return TimedAnswer([answer for answer, _ in done], covered(times for _, times in done))
