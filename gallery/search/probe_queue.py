"""One search for the probes of several concurrent requests."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from gallery.records import Hit

BatchSearch = Callable[[NDArray[np.float32], int], Awaitable[list[list[Hit]] | None]]
"""Returns for each probe, float32 (probes, size), the given number of best subjects; None if it cannot search."""

PATIENCE, LONGEST_S = 2, 0.05
"""How long a search waits for callers of the last one: this many times as long as that took, in seconds at most."""
TARDY = 0.1
"""Share of the callers that a search does not wait for."""


@dataclass(frozen=True, slots=True, eq=False)
class _WaitingSearch:
    search: BatchSearch
    probes: NDArray[np.float32]
    count: int
    hits: asyncio.Future[list[list[Hit]] | None]


class ProbeQueue:
    """Collects the probes that arrive while a search runs. The next search is for all of them.

    A search reads the embeddings of all faces, and takes little longer for several probes than for one. Each search
    begins after its last probe has arrived, so it sees all changes that were acknowledged before then.

    Callers that were answered often call again at once. After each search, the next one therefore waits for as many
    requests as there were, less `TARDY`. After a search for one or two requests, the next does not wait.
    """

    def __init__(self) -> None:
        self._waiting: list[_WaitingSearch] = []
        self._arrived = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def find(self, search: BatchSearch, probes: NDArray[np.float32], count: int) -> list[list[Hit]] | None:
        """Return the result of `search` for these probes.

        Args:
            probes: float32 (probes, size).
            count: number of subjects per probe, at least 1.

        Raises:
            Exception: any error of `search`.
        """
        asked = _WaitingSearch(search, probes, count, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._arrived.set()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asked.hits

    async def _run(self) -> None:
        expected, seconds = 1, 0.0
        try:
            # A caller that gave up has cancelled its future.
            while together := [each for each in await self._gathered(expected, seconds) if not each.hits.done()]:
                expected, started = 1, monotonic()
                try:
                    probes = np.concatenate([each.probes for each in together])
                    # The last caller's search knows the newest tables.
                    hits = await together[-1].search(probes, max(each.count for each in together))
                except Exception as error:
                    for each in together:
                        if not each.hits.done():
                            each.hits.set_exception(error)
                    continue
                start = 0
                for each in together:
                    end = start + len(each.probes)
                    if not each.hits.done():
                        each.hits.set_result(hits and [best[: each.count] for best in hits[start:end]])
                    start = end
                expected = int((1 - TARDY) * (len(together) + len(self._waiting)))
                seconds = min(PATIENCE * (monotonic() - started), LONGEST_S)
        finally:
            self._running = None

    async def _gathered(self, expected: int, seconds: float) -> list[_WaitingSearch]:
        """Take the waiting searches once there are as many as `expected`, or at the end of this time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self._waiting) < expected:
                    self._arrived.clear()
                    await self._arrived.wait()
        waiting, self._waiting = self._waiting, []
        return waiting
