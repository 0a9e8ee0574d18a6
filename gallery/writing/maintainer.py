"""Maintenance of all collections that a writer has open."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lancedb import AsyncTable

from gallery.search.mirror import erase_from_mirror
from gallery.search.vector_index import IndexRule
from gallery.storage.empty_subjects import open_empty
from gallery.storage.locks import CollectionLocks
from gallery.storage.removals import erase_log
from gallery.storage.side_tables import drop_beside, merge_beside
from gallery.storage.tables import KEPT, UNREADABLE
from gallery.writing import maintenance
from gallery.writing.known_keys import KnownKeys
from gallery.writing.registry import OpenCollection, Registry
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")

FEW_COMMITS = 20
"""Number of commits to a collection before it is worth optimising."""
MANY_COMMITS = 64
"""Number of commits to a collection that makes an optimisation urgent."""
GATHER_COMMITS = 16
"""Number of commits after which their rows are gathered: each leaves a file, which every look-up has to read."""


class Maintainer:
    """Maintains one collection after another: its table of faces, and the tables beside that.

    Args:
        registry: the open collections.
        index_rule: which collections get a vector index.
    """

    def __init__(self, registry: Registry, index_rule: IndexRule) -> None:
        self._registry = registry
        self._index_rule = index_rule
        self._clean_registry = 0
        for opened in registry.opened:
            # The previous writer may have left many commits.
            opened.commits = MANY_COMMITS

    @property
    def optimisation_is_urgent(self) -> bool:
        """Whether a collection has many commits since its last optimisation, or has had none since the start."""
        return any(opened.commits >= MANY_COMMITS for opened in self._registry.opened)

    async def optimise(self) -> None:
        """Gather the new rows of collections with many commits, and merge the files of those that are scattered.

        Raises:
            Exception: the first error, after all other collections have been optimised; see `all_failures`.
        """
        for opened in self._registry.opened:
            if _is_due(opened):
                await self._gather(opened, opened.merged_at)
        await self._maintain(self._optimise, _is_due)

    async def gather(self) -> None:
        """Gather the newest rows of indexed collections that have many commits since the last time.

        Earlier rows are left to `optimise`, because rewriting all of them each time would take much space on the disk.
        """
        for opened in self._registry.opened:
            if opened.ungathered >= GATHER_COMMITS and not opened.locks.maintenance.locked():
                await self._gather(opened, max(opened.merged_at, opened.gathered_at))

    async def clean(self) -> dict[str, int]:
        """Erase deleted faces from the files, so that no version and no index contains them.

        Returns:
            The number of bytes freed, by collection.

        Raises:
            Exception: the first error, after all other collections have been cleaned; see `all_failures`.
        """
        freed = {each.collection.name: 0 for each in self._registry.opened}
        try:
            return freed | await self._maintain(self._clean, lambda opened: opened.removals != opened.erased)
        finally:
            await self._clean_up_registry()

    async def _maintain(
        self, work: Callable[[OpenCollection], Awaitable[Answer]], due: Callable[[OpenCollection], bool]
    ) -> dict[str, Answer]:
        """Do `work` on each collection that is `due`. Raises the first error at the end, with a note per failure."""
        answers, problems = dict[str, Answer](), dict[str, Exception]()
        for each in self._registry.opened:
            if not due(each):
                continue
            name = each.collection.name
            try:
                async with self._registry.maintain(name) as opened:
                    commits, rows = opened.commits, opened.new_rows
                    answers[name] = await work(opened)
                    opened.commits -= commits
                    opened.new_rows -= rows
            except Exception as error:
                # Do not repeat it immediately: wait for the timer.
                each.commits = min(each.commits, FEW_COMMITS)
                # Ignore a collection that was dropped in the meantime.
                if name in self._registry:
                    problems[name] = error
        if problems:
            first = next(iter(problems.values()))
            for name, problem in problems.items():
                first.add_note(f"{name}: {problem if isinstance(problem, RequestError) else repr(problem)}")
            raise first
        return answers

    async def _gather(self, opened: OpenCollection, after: int) -> None:
        """Rewrite the rows of an indexed table after a commit into one file, unless there are many or none are new.

        This is a change that replaces rows. It excludes maintenance, because an index that is being built would miss
        the replaced rows.
        """
        name, opened.gathering = opened.collection.name, True
        try:
            async with self._registry.maintain(name), opened.locks.changing(removes=True):
                table, rows = opened.table, f"commit > {after}"
                if (
                    opened.ungathered
                    and await table.list_indices()
                    and 1 < await table.count_rows(rows) < maintenance.SCATTERED_ROWS
                ):
                    await table.update(where=rows, updates_sql={"commit": "commit"})
                opened.ungathered, opened.gathered_at = 0, self._registry.next_commit()
                opened.gathering_failed = False
        except (RequestError, *UNREADABLE) as error:
            # Do not repeat it immediately. If the problem lasts, the next merge of the files reports it.
            opened.ungathered = min(opened.ungathered, GATHER_COMMITS // 2)
            if not opened.gathering_failed:
                logger.warning("gallery: the new faces of %s were not gathered: %r", name, error)
            opened.gathering_failed = True
        finally:
            opened.gathering = False

    async def _optimise(self, opened: OpenCollection) -> None:
        # In an object store, another writer may add faces at any time.
        wanted = opened.known_keys is None and self._registry.location.folder is not None
        if wanted and await opened.table.count_rows() >= maintenance.KEYED_ROWS:
            known = await KnownKeys.of(opened.table)
            async with opened.locks.change:
                # Changes that were made meanwhile could not add to it.
                await known.follow(opened.table)
                opened.known_keys = known
        commits, now = opened.unmerged + opened.commits, self._registry.next_commit()
        if await self._maintenance(opened.table, opened.locks).optimise(commits):
            commits, opened.merged_at = 0, now
        opened.unmerged = commits
        connection, name = self._registry.connection, opened.table.name
        await merge_beside(connection, name, "removed", "answers")
        # The table of empty subjects is not skipped if it is damaged: unlike the two others, it cannot be replaced.
        if empty := await open_empty(connection, name):
            async with opened.locks.changing(removes=True):
                await empty.optimize(cleanup_older_than=KEPT)

    async def _clean(self, opened: OpenCollection) -> int:
        removals, opened.merged_at = opened.removals, self._registry.next_commit()
        freed = await self._maintenance(opened.table, opened.locks).clean()
        connection, name = self._registry.connection, opened.table.name
        await erase_from_mirror(connection, name, self._registry.location.mirrors)
        async with opened.locks.changing(removes=True):
            await erase_log(connection, name)
            await drop_beside(connection, name, "answers")
            if empty := await open_empty(connection, name):
                await self._maintenance(empty, CollectionLocks()).clean()
        opened.erased, opened.unmerged = removals, 0
        return freed

    def _maintenance(self, table: AsyncTable, locks: CollectionLocks) -> maintenance.TableMaintenance:
        return maintenance.TableMaintenance(table, locks, self._registry.location, self._index_rule)

    async def _clean_up_registry(self) -> None:
        """Erase the names of dropped collections."""
        table = self._registry.table
        async with self._registry.changing():
            if await table.version() != self._clean_registry:
                await self._maintenance(table, CollectionLocks()).clean()
                self._clean_registry = await table.version()


def _is_due(opened: OpenCollection) -> bool:
    """Whether a collection should be optimised: not while it is cleaned, because the other collections would wait."""
    due = opened.commits >= FEW_COMMITS or opened.new_rows >= maintenance.SCATTERED_ROWS
    # Gathering also holds the lock, but ends soon.
    return due and (opened.gathering or not opened.locks.maintenance.locked())
