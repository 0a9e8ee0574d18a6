"""The locks of one collection. They keep its changes apart without making an enrolment wait for maintenance."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from gallery.errors import is_full
from gallery.storage.tables import UNREADABLE

logger = logging.getLogger("ray.serve")

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")

PAUSE_S = 0.2
"""Length of a pause of changes, in seconds."""


class CollectionLocks:
    """Locks of one collection, to be acquired in the order of the attributes.

    While files are merged or rewritten or an index is built, Lance can add rows, but not remove or replace rows of a
    file that is being rewritten.

    Attributes:
        maintenance: held during maintenance, and while the collection is dropped.
        rewrite: held while files are rewritten, and by changes that remove or replace rows.
        change: held by every change.
    """

    def __init__(self) -> None:
        self.maintenance = asyncio.Lock()
        self.rewrite = asyncio.Lock()
        self.change = asyncio.Lock()

    @asynccontextmanager
    async def changing(self, removes: bool) -> AsyncIterator[None]:
        """Lock the collection for one change.

        Args:
            removes: whether the change may remove or replace rows.
        """
        rewrite: asyncio.Lock | nullcontext[None] = self.rewrite if removes else nullcontext()
        async with rewrite, self.change:
            yield

    @asynccontextmanager
    async def pauses(self) -> AsyncIterator[None]:
        """Pause changes for `PAUSE_S` at a time, so that maintenance can commit.

        The lock is fair: before each pause, the changes that are waiting are made.
        """

        async def pause() -> None:
            while True:
                async with self.change:
                    await asyncio.sleep(PAUSE_S)

        pausing = asyncio.create_task(pause())
        try:
            yield
        finally:
            pausing.cancel()
            await asyncio.wait([pausing])

    @asynccontextmanager
    async def everything(self) -> AsyncIterator[None]:
        """Wait for maintenance and changes, and keep out all others."""
        async with self.maintenance, self.rewrite, self.change:
            yield


def repeated(
    change: Callable[Parameters, Coroutine[Any, Any, Answer]],
) -> Callable[Parameters, Coroutine[Any, Any, Answer]]:
    """Repeat a change once if it fails: maintenance may have deleted a file of the version that it read.

    The change must be one commit, and have no further effect if it is made again.
    """

    @wraps(change)
    async def repeated_change(*args: Parameters.args, **options: Parameters.kwargs) -> Answer:
        try:
            return await change(*args, **options)
        except UNREADABLE as error:
            if is_full(error):
                raise
            logger.warning("gallery: repeating a change after %r", error)
        return await change(*args, **options)

    return repeated_change
