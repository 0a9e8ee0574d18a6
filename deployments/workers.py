"""The threads in which a replica's network runs."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from graphs.timing import Timed

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")


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

    async def run(
        self, work: Callable[Arguments, Answer], *args: Arguments.args, **options: Arguments.kwargs
    ) -> Timed[Answer]:
        """Call `work` in a thread. If the caller gives up before its turn, it is not called at all."""

        def timed() -> Timed[Answer]:
            started = time.perf_counter()
            answer = work(*args, **options)
            return Timed(answer, time.perf_counter() - started)

        return await asyncio.get_running_loop().run_in_executor(self._threads, timed)
