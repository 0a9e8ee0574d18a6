"""Maintenance of a table: merging small files, building indexes, and erasing deleted rows."""

import asyncio
import logging
import warnings
from collections.abc import Callable, Coroutine, Mapping
from contextlib import nullcontext
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
OVERTAKEN = ("Too many concurrent writers", "Failed to commit the transaction after")
"""Parts of Lance's messages if each attempt to commit failed because another commit came first."""
UNVERIFIED_S = 8 * 86400
"""Age in seconds at which Lance deletes a file that no version names, since no commit under way can need it."""


@dataclass(frozen=True, slots=True)
class TableMaintenance:
    """Maintains one table.

    Attributes:
        table: the table.
        locks: its locks; the caller holds the one for maintenance.
        location: where the gallery is stored.
        index_rule: whether a table of faces gets a vector index.
    """

    table: AsyncTable
    locks: CollectionLocks
    location: Location
    index_rule: IndexRule

    async def optimise(self, commits: int) -> bool:
        """Merge all files if they are scattered or the table has no index, and build the indexes of a large table.

        Lance cannot merge only some of the files that an index covers, and merging all rewrites up to a million rows.
        An indexed table is therefore merged only when it has many small files, or many rows outside an index. Until
        then, `Maintainer` gathers the newest rows.

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

        Rows that are deleted in the meantime are left for the next clean-up.

        Returns:
            The number of bytes freed.
        """
        folder = self.location.folder and self.location.folder / f"{self.table.name}.lance"
        async with self.locks.rewrite:
            await self._run(rewrite)
        await self._index(rebuild=True)
        async with self.locks.change:
            # No change is under way. Files that no version names are therefore left over from failed changes, and
            # later changes read this version or a newer one.
            await self.table.checkout_latest()
            if folder is not None:
                await asyncio.to_thread(age_tree, folder, UNVERIFIED_S)
            before = datetime.now(UTC)
        if folder is not None:
            # The old files are deleted next, so the new ones must first be safe from a power loss.
            await asyncio.to_thread(sync_tree, folder)
        async with self.locks.rewrite:
            return await self._run(prune, before)

    async def _index(self, rebuild: bool) -> None:
        """Build missing indexes of a large table of faces, and replace those of the wrong type. Lance updates them."""
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
            # The table used to be larger, or its mirror now fits in memory. This index still contains deleted rows.
            await table.drop_index(indexed[column].name)

    async def _run(
        self, work: Callable[[AsyncTable, *Arguments], Coroutine[Any, Any, Answer]], *args: *Arguments
    ) -> Answer:
        """Run `work` on the table: in a separate process if the table is large, because work here delays enrolments.

        If enrolments commit so often that the work cannot commit, it is repeated while they pause now and then, and
        after that while they wait until it is done.
        """

        async def run() -> Answer:
            if await self.table.count_rows() < LARGE_ROWS:
                return await work(self.table, *args)
            answer = await run_separately(self.location, self.table.name, work, *args)
            await self.table.checkout_latest()
            return answer

        for slowdown, next_slowdown in ((nullcontext(), "pause"), (self.locks.pauses(), "wait")):
            try:
                async with slowdown:
                    return await run()
            except RuntimeError as error:
                if not any(part in str(error) for part in OVERTAKEN):
                    raise
                message = "gallery: enrolments in %s %s for %s: %s"
                logger.warning(message, self.table.name, next_slowdown, work.__name__, error)
        async with self.locks.change:
            return await run()


async def merge_files(table: AsyncTable) -> None:
    """Merge small files, and remove versions older than `KEPT`."""
    await table.optimize(cleanup_older_than=KEPT)


async def rewrite(table: AsyncTable) -> None:
    """Rewrite all rows if files contain deleted ones, so that no file of the newest version contains those."""
    await table.optimize(cleanup_older_than=KEPT)
    if not (versions := await table.list_versions()):
        # Lance reports every other missing file like this.
        raise RuntimeError("no version of the table is left")
    key = (await table.schema()).names[0]
    # Lance keeps a file in which few rows are deleted. If no file contains deleted rows, add an empty commit: the
    # newest commit may be a deletion, whose manifest names the deleted keys.
    deleted = int(versions[-1]["metadata"]["total_deletion_file_rows"])
    await table.update(where=None if deleted else "false", updates_sql={key: key})


async def prune(table: AsyncTable, before: datetime) -> int:
    """Remove the versions that were replaced before a time, and return the number of bytes freed."""
    with warnings.catch_warnings():
        # Lance warns about readers of old versions. Ours move to the latest version and repeat the query.
        warnings.simplefilter("ignore", UserWarning)
        # The times of files in an object store cannot be set, so leftover files there are deleted only after seven
        # days: they could belong to a change under way, perhaps by another writer.
        stats = await table.optimize(cleanup_older_than=datetime.now(UTC) - before)
    return int(stats.prune.bytes_removed)


async def create_indexes(table: AsyncTable, wanted: Mapping[str, Any]) -> None:
    """Build or rebuild indexes. `wanted` has LanceDB's configuration of each index, by column."""
    for column, config in wanted.items():
        await table.create_index(column, config=config)


async def _is_scattered(table: AsyncTable) -> bool:
    """Whether a table has many small files, many rows outside an index, or no index at all."""
    names = [index.name for index in await table.list_indices()]
    outside = [found.num_unindexed_rows for name in names if (found := await table.index_stats(name)) is not None]
    files = (await table.stats())["fragment_stats"]["num_small_fragments"]  # type: ignore[index]
    return not outside or max(outside) >= SCATTERED_ROWS or files >= SCATTERED_FILES
