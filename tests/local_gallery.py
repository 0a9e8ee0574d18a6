"""A real gallery without Ray."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from gallery.location import Location
from gallery.operations import Gallery
from gallery.reading.reader import Reader
from gallery.records import IndexHealth
from gallery.writing.writer import Writer


class LocalGallery(Gallery):
    """A real gallery without Ray, in a temporary folder."""

    def __init__(self, ready: bool = True, unreadable: Sequence[str] = ()) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.location = Location(self._folder.name)
        self._reader = Reader(self.location, exact_mb=64)
        self._writer: Writer | None = None
        self._opening = asyncio.Lock()
        self._ready = ready
        self._unreadable = list(unreadable)

    def ready(self) -> bool:
        return self._ready

    def unreadable(self) -> list[str]:
        return self._unreadable

    def indexes(self) -> list[IndexHealth]:
        return [IndexHealth("mobilefacenet", 1, 5_000_000, 2_000, 0.99)]

    async def perform(self, operation: Callable[..., Any], changes: bool, /, *args: Any, **options: Any) -> Any:
        writer = await self.opened()
        return await getattr(writer if changes else self._reader, operation.__name__)(*args, **options)

    async def opened(self) -> Writer:
        """The writer; it is opened at the first operation."""
        async with self._opening:
            if self._writer is None:
                self._writer = await Writer.open(self.location)
            return self._writer
