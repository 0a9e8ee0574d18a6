"""Exact search of the tables that fit in memory."""

import asyncio
from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gallery.location import Location
from gallery.reading.face_table import FaceTable
from gallery.records import Hit
from gallery.search import mirror_folder
from gallery.search.code_comparison import compile_for
from gallery.search.mirror_search import best_subjects
from gallery.storage.metadata import described

Tables = Mapping[str, FaceTable]
"""Tables of faces by name."""


class ExactSearch:
    """Searches tables through their mirrors, as long as these fit in memory together.

    Args:
        location: where the gallery is stored.
        exact_mb: memory for mirrors, in MiB.
        threads: number of threads per search.
    """

    def __init__(self, location: Location, exact_mb: int, threads: int) -> None:
        self._mirrors = location.mirrors
        self._most_bytes = exact_mb * 2**20
        self._threads = threads

    async def find(
        self, faces: FaceTable, tables: Tables, probes: list[NDArray[np.float32]], count: int
    ) -> list[list[Hit]] | None:
        """Return for each probe the best subjects at the latest version, or None if `faces` needs too much memory.

        The subjects have their metadata.

        Args:
            faces: the table to search.
            tables: all tables. Mirrors are dropped to make room, least recently used first.
            probes: float32 (size) of length 1 each.
            count: number of subjects per probe, at least 1.
        """
        return await faces.queue.find(partial(self._search, faces, tables), np.array(probes), count) if probes else []

    async def covers(self, faces: FaceTable) -> bool:
        """Whether the mirror of `faces` fits in memory, so that searches need no index."""
        return await faces.fits(self._most_bytes)

    async def follow(self, faces: FaceTable, tables: Tables) -> None:
        """Update the mirror of `faces`, or open that of an earlier process, so that the next search is fast.

        This also compiles what searches need, and removes deleted faces from the mirror's files.

        Args:
            tables: as in `find`.
        """
        if not self._most_bytes:
            return
        await asyncio.to_thread(compile_for, faces.size)
        if faces.has_mirror(self._mirrors):
            await faces.refresh(self._most_bytes, self._mirrors)
            self._make_room(faces, tables)

    def remove_dropped(self, tables: Tables) -> None:
        """Delete the files of all mirrors except those of `tables`."""
        if self._most_bytes:
            mirror_folder.remove_others(self._mirrors, tables)

    async def _search(
        self, faces: FaceTable, tables: Tables, probes: NDArray[np.float32], count: int
    ) -> list[list[Hit]] | None:
        while True:
            refreshing = asyncio.create_task(faces.refresh(self._most_bytes, self._mirrors))
            try:
                # Both get the newest version. The table provides the subjects' metadata.
                newest = await faces.latest_version()
            finally:
                # If the table is gone, its mirror must not be written after the search has failed.
                mirror = await refreshing
            if mirror is None or mirror.files is None:
                return None
            self._make_room(faces, tables)
            if (hits := await asyncio.to_thread(best_subjects, mirror.files, probes, count, self._threads)) is not None:
                return await described(newest, hits)

    def _make_room(self, faces: FaceTable, tables: Tables) -> None:
        others = [each for each in tables.values() if each.mirror and each is not faces]
        room = self._most_bytes - faces.mirrored_bytes - sum(each.mirrored_bytes for each in others)
        for each in sorted(others, key=lambda each: each.searched):
            if room < 0:
                room += each.mirrored_bytes
                each.drop_mirror()
