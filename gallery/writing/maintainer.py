"""Maintenance of all collections that a writer has open."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gallery.location import Location
from gallery.search.mirror import erase_from_mirror
from gallery.search.vector_index import IndexRule
from gallery.storage.empty_subjects import open_empty
from gallery.storage.locks import CollectionLocks
from gallery.storage.removals import erase_log, merge_log
from gallery.storage.tables import KEPT, UNREADABLE
from gallery.writing import maintenance
from gallery.writing.registry import OpenCollection, Registry
from gallery.writing.request_answers import drop_answers, merge_answers
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")

FEW_COMMITS = 20
"""Number of commits to a collection before it is worth optimising."""


class Maintainer:
    """Maintains one collection after another, with their tables of faces and those beside them.

    Args:
        registry: the open collections.
        location: where the gallery is stored.
        index_rule: which collections get a vector index.
    """

    def __init__(self, registry: Registry, location: Location, index_rule: IndexRule) -> None:
        self._registry = registry
        self._location = location
        self._index_rule = index_rule
        self._clean_registry = 0
        for opened in registry.opened:
            # The previous writer may have left many commits.
            opened.commits = FEW_COMMITS

    async def optimise(self) -> None:
        """Gather the new rows of collections with many commits, and merge their files once they are scattered.

        Raises:
            RequestError: ``COLLECTION_UNREADABLE``, after all other collections have been optimised.
        """
        for opened in self._registry.opened:
            if _is_due(opened):
                await self._gather(opened.collection.name)
        await self._maintain(self._optimise, _is_due)

    async def clean(self) -> dict[str, int]:
        """Erase deleted faces from the files, so that no version and no index contains them.

        Returns:
            The number of bytes freed, by collection.

        Raises:
            RequestError: ``COLLECTION_UNREADABLE``, after all other collections have been cleaned.
        """
        try:
            return await self._maintain(self._clean, lambda _: True)
        finally:
            await self._clean_up_registry()

    @property
    def busiest(self) -> int:
        """The largest number of commits to a collection since its last optimisation."""
        return max((opened.commits for opened in self._registry.opened), default=0)

    async def _maintain(
        self, work: Callable[[OpenCollection], Awaitable[Answer]], due: Callable[[OpenCollection], bool]
    ) -> dict[str, Answer]:
        """Do `work` on the collections that are `due` at their turn. Raises the first `RequestError` at the end."""
        answers, problem = dict[str, Answer](), None
        for each in self._registry.opened:
            if not due(each):
                continue
            name = each.collection.name
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

    async def _gather(self, name: str) -> None:
        try:
            async with self._registry.maintain(name) as opened, opened.locks.changing(removes=True):
                await maintenance.gather_rows(opened.table, opened.merged_at, opened.gathered_at)
                opened.gathered_at = self._registry.next_commit()
        except (RequestError, *UNREADABLE) as error:
            # The merge of the files that follows reports what lasts.
            logger.warning("gallery: the new faces of %s were not gathered: %r", name, error)

    async def _optimise(self, opened: OpenCollection) -> None:
        commits, now = opened.unmerged + opened.commits, self._registry.next_commit()
        if await maintenance.optimise(opened.table, opened.locks, self._index_rule, self._location, commits):
            commits, opened.merged_at = 0, now
        opened.unmerged = commits
        await merge_log(self._registry.connection, opened.table.name)
        if empty := await open_empty(self._registry.connection, opened.table.name):
            async with opened.locks.changing(removes=True):
                await empty.optimize(cleanup_older_than=KEPT)
        await merge_answers(self._registry.connection, opened.table.name)

    async def _clean(self, opened: OpenCollection) -> int:
        if opened.removals == opened.erased:
            return 0
        removals, opened.merged_at = opened.removals, self._registry.next_commit()
        freed = await maintenance.clean(opened.table, opened.locks, self._index_rule, self._location)
        await erase_from_mirror(self._registry.connection, opened.table.name, self._location.mirrors)
        async with opened.locks.changing(removes=True):
            await erase_log(self._registry.connection, opened.table.name)
            await drop_answers(self._registry.connection, opened.table.name)
            if empty := await open_empty(self._registry.connection, opened.table.name):
                await maintenance.clean(empty, CollectionLocks(), self._index_rule, self._location)
        opened.erased, opened.unmerged = removals, 0
        return freed

    async def _clean_up_registry(self) -> None:
        """Erase the names of dropped collections."""
        table = self._registry.table
        async with self._registry.changing:
            if await table.version() != self._clean_registry:
                await maintenance.clean(table, CollectionLocks(), self._index_rule, self._location)
                self._clean_registry = await table.version()


def _is_due(opened: OpenCollection) -> bool:
    """Whether a collection should be optimised. While it is cleaned, the others do not wait for it."""
    return opened.commits >= FEW_COMMITS and not opened.locks.maintenance.locked()
