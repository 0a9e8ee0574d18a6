"""Maintenance of all collections that a writer has open."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from gallery.location import Location
from gallery.search.mirror import erase_from_mirror
from gallery.storage.empty_subjects import open_empty
from gallery.storage.locks import CollectionLocks
from gallery.storage.removals import erase_log, merge_log
from gallery.storage.tables import KEPT
from gallery.writing import maintenance
from gallery.writing.registry import OpenCollection, Registry
from gallery.writing.request_answers import drop_answers, merge_answers
from project.request_error import RequestError

Answer = TypeVar("Answer")

FEW_COMMITS = 20
"""Number of commits to a collection before it is worth optimising."""


class Maintainer:
    """Maintains one collection after another, with their tables of faces and those beside them.

    Args:
        registry: the open collections.
        location: where the gallery is stored.
        index_rows: number of faces at which a collection gets a vector index.
    """

    def __init__(self, registry: Registry, location: Location, index_rows: int) -> None:
        self._registry = registry
        self._location = location
        self._index_rows = index_rows
        self._clean_registry = 0
        for opened in registry.opened:
            # The previous writer may have left many commits.
            opened.commits = FEW_COMMITS

    async def optimise(self) -> None:
        """Merge the small files of collections with many commits, and remove their old versions.

        Raises:
            RequestError: ``COLLECTION_UNREADABLE``, after all other collections have been optimised.
        """
        for opened in self._registry.opened:
            # An index that is being built would not contain rows that are moved meanwhile.
            if opened.commits >= FEW_COMMITS and not opened.locks.maintenance.locked():
                await self._gather(opened)
        await self._maintain(self._optimise, FEW_COMMITS)

    async def clean(self) -> dict[str, int]:
        """Erase deleted faces from the files, so that no version and no index contains them.

        Returns:
            The number of bytes freed, by collection.

        Raises:
            RequestError: ``COLLECTION_UNREADABLE``, after all other collections have been cleaned.
        """
        try:
            return await self._maintain(self._clean)
        finally:
            await self._clean_up_registry()

    @property
    def busiest(self) -> int:
        """The largest number of commits to a collection since its last optimisation."""
        return max((opened.commits for opened in self._registry.opened), default=0)

    async def _maintain(
        self, work: Callable[[OpenCollection], Awaitable[Answer]], commits: int = 0
    ) -> dict[str, Answer]:
        """Do `work` on collections with at least that many `commits`. Raises the first `RequestError` at the end."""
        answers, problem = dict[str, Answer](), None
        busy = [each for each in self._registry.opened if each.commits >= commits]
        # The others need not wait until one is cleaned.
        due = [each for each in busy if not (commits and each.locks.maintenance.locked())]
        for name in [each.collection.name for each in due]:
            try:
                async with self._registry.maintain(name) as opened:
                    before = opened.commits
                    answers[name] = await work(opened)
                    opened.commits -= before
            except RequestError as refused:
                # Ignore a collection that was dropped in the meantime.
                if name in self._registry:
                    problem = problem or refused
        if problem is not None:
            raise problem
        return answers

    async def _gather(self, opened: OpenCollection) -> None:
        # A collection that cannot be read is reported by what follows.
        with suppress(RequestError):
            async with (
                self._registry.maintain(opened.collection.name),
                opened.locks.changing(removes=True),
            ):
                await maintenance.gather_rows(opened.table, opened.merged)

    async def _optimise(self, opened: OpenCollection) -> None:
        now = time.time_ns()
        if await maintenance.optimise(opened.table, opened.locks, self._index_rows, self._location):
            opened.merged = now
        await merge_log(self._registry.connection, opened.table.name)
        if empty := await open_empty(self._registry.connection, opened.table.name):
            async with opened.locks.changing(removes=True):
                await empty.optimize(cleanup_older_than=KEPT)
        async with opened.locks.changing(removes=True):
            await merge_answers(self._registry.connection, opened.table.name)

    async def _clean(self, opened: OpenCollection) -> int:
        if opened.removals == opened.erased:
            return 0
        removals, opened.merged = opened.removals, time.time_ns()
        freed = await maintenance.clean(opened.table, opened.locks, self._index_rows, self._location)
        await erase_from_mirror(self._registry.connection, opened.table.name, self._location.mirrors)
        async with opened.locks.changing(removes=True):
            await erase_log(self._registry.connection, opened.table.name)
            await drop_answers(self._registry.connection, opened.table.name)
            if empty := await open_empty(self._registry.connection, opened.table.name):
                await maintenance.clean(empty, CollectionLocks(), self._index_rows, self._location)
        opened.erased = removals
        return freed

    async def _clean_up_registry(self) -> None:
        """Erase the names of dropped collections."""
        table = self._registry.table
        async with self._registry.changing:
            if await table.version() != self._clean_registry:
                await maintenance.clean(table, CollectionLocks(), self._index_rows, self._location)
                self._clean_registry = await table.version()
