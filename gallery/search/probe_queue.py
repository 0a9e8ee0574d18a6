"""One search for the probes of several concurrent requests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.records import Hit

BatchSearch = Callable[[NDArray[np.float32], int], Awaitable[list[list[Hit]] | None]]
"""Returns for each probe, float32 (probes, size), the given number of best subjects; None if it cannot search."""


@dataclass(frozen=True, slots=True, eq=False)
class _WaitingSearch:
    probes: NDArray[np.float32]
    count: int
    hits: asyncio.Future[list[list[Hit]] | None]


class ProbeQueue:
    """Collects the probes that arrive while a search runs. The next search is for all of them.

    A search reads the embeddings of all faces, and takes little longer for several probes than for one. Each search
    begins after its last probe has arrived, so it sees all changes that were acknowledged before then.
    """

    def __init__(self) -> None:
        self._waiting: list[_WaitingSearch] = []
        self._running: asyncio.Task[None] | None = None

    async def find(self, search: BatchSearch, probes: NDArray[np.float32], count: int) -> list[list[Hit]] | None:
        """Return the result of `search` for these probes.

        Args:
            probes: float32 (probes, size).
            count: number of subjects per probe, at least 1.

        Raises:
            Exception: any error of `search`.
        """
        asked = _WaitingSearch(probes, count, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._running is None:
            self._running = asyncio.create_task(self._run(search))
        return await asked.hits

    async def _run(self, search: BatchSearch) -> None:
        try:
            # A caller that gave up has cancelled its future.
            while together := [each for each in self._waiting if not each.hits.done()]:
                self._waiting = []
                try:
                    probes = np.concatenate([each.probes for each in together])
                    hits = await search(probes, max(each.count for each in together))
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
        finally:
            self._running = None
