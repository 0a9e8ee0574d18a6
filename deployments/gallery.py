"""The gallery: one writer, and readers that scale. Only their replicas import LanceDB, which takes seconds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ray import serve

from deployments.gallery_size import GallerySize
from gallery.disk import is_full
from gallery.place import Place
from imaging.refused import Refused

logger = logging.getLogger("ray.serve")

PATIENCE_S = 60
"""How long a new writer waits for the one before it to end."""
CHECKED_S = 10.0
"""Seconds between two checks of every collection by a reader."""
MEASURED_S = 15
"""Seconds between two looks at how large the gallery is."""
MANY_COMMITS = 64
"""Commits after which an optimisation does not wait for its time."""


@serve.deployment(name="gallery-writer")
class GalleryWriter:
    """The one replica that changes the gallery; see `gallery.writer`.

    Args:
        place: of the gallery.
        index_rows: faces of a collection from which on it gets a vector index.
        optimise_s, clean_s: seconds between two optimisations and two clean-ups.
    """

    async def __init__(self, place: Place, index_rows: int, optimise_s: float, clean_s: float) -> None:  # type: ignore[misc]
        from gallery.reader import Reader
        from gallery.writer import Writer

        self._writer = await Writer.open(place, index_rows, PATIENCE_S)
        self._size = GallerySize(Reader(place, exact_mb=0))
        self._upkeep = [
            asyncio.create_task(self._measure_every(MEASURED_S)),
            asyncio.create_task(self._optimise_every(optimise_s)),
            asyncio.create_task(self._clean_every(clean_s)),
        ]

    async def call(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the `Writer`. What it refuses is its answer.

        Runs to its end even if the caller gives up meanwhile, so that nothing stays half done.
        """
        try:
            return await asyncio.shield(getattr(self._writer, method)(*args, **options))
        except Refused as refused:
            return refused
        except (RuntimeError, OSError) as error:
            if not is_full(error):
                raise
            logger.exception("gallery: the disk is full")
            return Refused("STORAGE_FULL", "The gallery's disk is full; nothing was changed")

    async def ready(self) -> None:
        """Answer, which the replica does only once the gallery is open."""

    async def _optimise_every(self, seconds: float) -> None:
        waited = 0.0
        while True:
            await asyncio.sleep(1)
            waited += 1
            if waited >= seconds or self._writer.busiest >= MANY_COMMITS:
                await self._upkept("optimise", self._writer.optimise)
                waited = 0.0

    async def _clean_every(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._upkept("clean", self._writer.clean)

    async def _measure_every(self, seconds: float) -> None:
        while True:
            await self._upkept("measure", self._size.measure)
            await asyncio.sleep(seconds)

    async def _upkept(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Exception:
            # The gallery works without it, and there is a next time.
            logger.exception("gallery: the timer could not %s", what)


@serve.deployment(name="gallery-reader")
class GalleryReader:
    """Searches and lists the gallery; see `gallery.reader`.

    Args:
        place: of the gallery.
        exact_mb: MiB of embeddings that are kept in memory for exact search.
    """

    async def __init__(self, place: Place, exact_mb: int) -> None:  # type: ignore[misc]
        from gallery.reader import Reader

        self._reader = Reader(place, exact_mb)
        self._unreadable: list[str] = []
        self._checking = asyncio.create_task(self._check_every(CHECKED_S))

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method of the `Reader`. What it refuses is its answer."""
        try:
            return await getattr(self._reader, method)(*args)
        except Refused as refused:
            return refused

    async def ready(self) -> list[str]:
        """Names of the collections that failed the last check.

        Raises:
            Exception: the gallery cannot be opened.
        """
        await self._reader.collections()
        return self._unreadable

    async def _check_every(self, seconds: float) -> None:
        while True:
            try:
                self._unreadable = await self._reader.unreadable()
            except Exception as error:
                # There is no gallery yet, or it is gone: `ready` fails, too.
                logger.warning("gallery: its collections cannot be checked: %r", error)
            await asyncio.sleep(seconds)
