"""Maintenance of tables: merging small files, building indexes, and erasing deleted rows."""

import asyncio
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from lancedb import AsyncTable
from lancedb.index import BTree, IvfSq

from gallery.disk import sync_tree

KEYED_ROWS = 5_000
"""Number of faces at which a table gets indexes for its keys."""
KEPT = timedelta(minutes=10)
"""How long old versions are kept for searches that still use them."""


async def optimise(table: AsyncTable, index_rows: int) -> None:
    """Merge small files, remove old versions, and build the indexes of a large table.

    Args:
        index_rows: number of faces at which a table gets a vector index.
    """
    await table.optimize(cleanup_older_than=KEPT)
    await _index(table, index_rows, rebuild=False)


async def clean(table: AsyncTable, index_rows: int, folder: Path | None) -> int:
    """Erase deleted rows from the files, so that no version and no index contains them.

    Args:
        index_rows: number of faces at which a table gets a vector index.
        folder: the table's folder; None in an object store.

    Returns:
        The number of bytes freed.
    """
    await table.optimize(cleanup_older_than=KEPT)
    # Lance keeps a file in which few rows are deleted, so write all rows again. If none are deleted, add an empty
    # commit: the newest one may be a deletion, and its manifest names the deleted keys.
    key = (await table.schema()).names[0]
    deleted = int((await table.list_versions())[-1]["metadata"]["total_deletion_file_rows"])
    await table.update(where=None if deleted else "false", updates_sql={key: key})
    await _index(table, index_rows, rebuild=True)
    if folder is not None:
        # The old files are deleted next: after a power loss, the new ones would be all that is left.
        await asyncio.to_thread(sync_tree, folder)
    with warnings.catch_warnings():
        # Lance warns about readers of old versions. Ours move to the latest version and repeat the query.
        warnings.simplefilter("ignore", UserWarning)
        stats = await table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
    return int(stats.prune.bytes_removed)


async def _index(table: AsyncTable, index_rows: int, rebuild: bool) -> None:
    """Build the indexes of a large table of faces. `optimise` keeps them up to date.

    The vector index stores eight bits per number; searches score its candidates again with their full embeddings.
    """
    if "vector" not in (await table.schema()).names:
        return
    faces = await table.count_rows()
    indexed = {index.columns[0]: index.name for index in await table.list_indices()}
    wanted: dict[str, Any] = {}
    if faces >= KEYED_ROWS:
        wanted = {column: BTree() for column in ("id", "subject_key", "commit", "request")}
    if faces >= index_rows:
        wanted["vector"] = IvfSq(distance_type="cosine", num_partitions=max(1, faces // 8192))
    for column, config in wanted.items():
        if rebuild or column not in indexed:
            await table.create_index(column, config=config)
    for column in indexed.keys() - wanted.keys() if rebuild else ():
        # The table was larger once; this index still contains deleted rows.
        await table.drop_index(indexed[column])
