"""Maintenance of a table: merging small files, building indexes, and erasing deleted rows."""

import asyncio
import logging
import warnings
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, TypeVarTuple

from lancedb import AsyncTable
from lancedb.index import BTree

from gallery.location import Location
from gallery.search.vector_index import IndexRule, vector_index
from gallery.storage.disk import age_tree, sync_tree
from gallery.storage.locks import CollectionLocks
from gallery.storage.tables import KEPT
from gallery.writing.separate_process import run_separately

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")

LARGE_ROWS = 50_000
"""Number of rows at which a table is maintained in a separate process."""
KEYED_ROWS = 5_000
"""Number of faces at which a table gets indexes for its keys."""
SCATTERED_ROWS, SCATTERED_FILES = 2048, 32
"""Number of rows outside an index, and of small files, at which all files of an indexed table are merged."""
MERGE_COMMITS = 1000
"""Number of commits after which all files are merged in any case, because that removes old versions."""
OVERTAKEN = "Too many concurrent writers"
"""Part of Lance's message if others committed before each attempt to commit."""
UNVERIFIED_S = 8 * 86400
"""Age in seconds at which Lance deletes a file that no version names: it belongs to no commit under way."""


@dataclass(frozen=True, slots=True)
class TableMaintenance:
    """Maintains one table.

    Attributes:
        table: the table.
        locks: its locks; that of maintenance is held.
        location: where the gallery is stored.
        index_rule: whether a table of faces gets a vector index.
    """

    table: AsyncTable
    locks: CollectionLocks
    location: Location
    index_rule: IndexRule

    async def optimise(self, commits: int) -> bool:
        """Merge all files if they are scattered or the table has no index, and build the indexes of a large table.

        Lance can only merge all files that its indexes cover, which rewrites up to a million rows, so this waits until
        an indexed table has many files, or many rows outside the indexes. `Maintainer` gathers the newest ones
        until then.

        Args:
            commits: number of commits since all files were merged.

        Returns:
            Whether all files were merged, and old versions removed.
        """
        async with self.locks.rewrite:
            if due := commits >= MERGE_COMMITS or await _is_scattered(self.table):
                await self._run(merge_files)
        await self._index(rebuild=False)
        return due

    async def clean(self) -> int:
        """Erase deleted rows from the files, so that no version and no index contains them.

        Rows that are deleted in the meantime are left to the next time.

        Returns:
            The number of bytes freed.
        """
        folder = self.location.folder and self.location.folder / f"{self.table.name}.lance"
        async with self.locks.rewrite:
            await self._run(rewrite)
        await self._index(rebuild=True)
        async with self.locks.change:
            # No change is under way, so files that no version names are left over from failed ones, and later changes
            # read this version or a newer one.
            await self.table.checkout_latest()
            if folder is not None:
                await asyncio.to_thread(age_tree, folder, UNVERIFIED_S)
            before = datetime.now(UTC)
        if folder is not None:
            # The old files are deleted next: after a power loss, the new ones would be all that is left.
            await asyncio.to_thread(sync_tree, folder)
        async with self.locks.rewrite:
            return await self._run(prune, before)

    async def _index(self, rebuild: bool) -> None:
        """Build the indexes of a large table of faces, or replace those of another kind. Lance updates them."""
        table = self.table
        schema = await table.schema()
        if "vector" not in schema.names:
            return
        faces = await table.count_rows()
        indexed = {index.columns[0]: index for index in await table.list_indices()}
        wanted: dict[str, Any] = {}
        if faces >= KEYED_ROWS:
            wanted = {column: BTree() for column in ("id", "subject_key", "commit", "request")}
        if self.index_rule.applies(faces, size := schema.field("vector").type.list_size):
            wanted["vector"] = vector_index(faces, size)
        current = {column for column, index in indexed.items() if index.index_type == type(wanted.get(column)).__name__}
        if missing := {column: config for column, config in wanted.items() if rebuild or column not in current}:
            await self._run(create_indexes, missing)
        for column in indexed.keys() - wanted.keys() if rebuild else ():
            # The table was larger once, or its mirror fits now; this index still contains deleted rows.
            await table.drop_index(indexed[column].name)

    async def _run(
        self, work: Callable[[AsyncTable, *Arguments], Coroutine[Any, Any, Answer]], *args: *Arguments
    ) -> Answer:
        """Run `work` on the table: in a separate process if the table is large, because it would delay enrolments.

        If enrolments commit so often that the work never gets its turn, it is repeated while they wait.
        """

        async def run() -> Answer:
            if await self.table.count_rows() < LARGE_ROWS:
                return await work(self.table, *args)
            answer = await run_separately(self.location, self.table.name, work, *args)
            await self.table.checkout_latest()
            return answer

        try:
            return await run()
        except RuntimeError as error:
            if OVERTAKEN not in str(error):
                raise
            logger.warning("gallery: enrolments in %s wait for %s, after %s", self.table.name, work.__name__, error)
        async with self.locks.change:
            return await run()


async def merge_files(table: AsyncTable) -> None:
    """Merge small files, and remove versions older than `KEPT`."""
    await table.optimize(cleanup_older_than=KEPT)


async def rewrite(table: AsyncTable) -> None:
    """Rewrite all rows if any were deleted, so that no file of the newest version contains those."""
    await table.optimize(cleanup_older_than=KEPT)
    key = (await table.schema()).names[0]
    # Lance keeps a file in which few rows are deleted. If none are deleted, add an empty commit: the newest one may be
    # a deletion, and its manifest names the deleted keys.
    deleted = int((await table.list_versions())[-1]["metadata"]["total_deletion_file_rows"])
    await table.update(where=None if deleted else "false", updates_sql={key: key})


async def prune(table: AsyncTable, before: datetime) -> int:
    """Remove the versions that were replaced before a time, and return the number of bytes freed."""
    with warnings.catch_warnings():
        # Lance warns about readers of old versions. Ours move to the latest version and repeat the query.
        warnings.simplefilter("ignore", UserWarning)
        # In an object store, whose files' times cannot be set, leftover files are deleted after seven days: they
        # cannot be told from those of a change under way, perhaps by another writer.
        stats = await table.optimize(cleanup_older_than=datetime.now(UTC) - before)
    return int(stats.prune.bytes_removed)


async def create_indexes(table: AsyncTable, wanted: Mapping[str, Any]) -> None:
    """Build or rebuild indexes. `wanted` has LanceDB's configuration of each, by column."""
    for column, config in wanted.items():
        await table.create_index(column, config=config)


async def _is_scattered(table: AsyncTable) -> bool:
    """Whether a table has many small files, many rows outside an index, or no index at all."""
    names = [index.name for index in await table.list_indices()]
    outside = [found.num_unindexed_rows for name in names if (found := await table.index_stats(name)) is not None]
    files = (await table.stats())["fragment_stats"]["num_small_fragments"]  # type: ignore[index]
    return not outside or max(outside) >= SCATTERED_ROWS or files >= SCATTERED_FILES
