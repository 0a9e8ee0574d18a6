"""Looking after tables: merging small files, indexes, and erasing what was deleted."""

import asyncio
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from lancedb import AsyncTable
from lancedb.index import BTree, IvfSq

from gallery.disk import sync_tree

KEYED_ROWS = 5_000
"""Faces from which on keys are looked up in an index."""
KEPT = timedelta(minutes=10)
"""How long versions stay for searches that run on them."""


async def optimise(table: AsyncTable, index_rows: int) -> None:
    """Merge small files, remove old versions, and give a large table its indexes."""
    await table.optimize(cleanup_older_than=KEPT)
    await _index(table, index_rows, rebuild=False)


async def clean(table: AsyncTable, index_rows: int, folder: Path | None) -> int:
    """Erase what was deleted from the files: afterwards no version and no index has it any more.

    Args:
        index_rows: faces from which on there is a vector index.
        folder: of the table, if it is in one.

    Returns:
        Bytes that were freed.
    """
    await table.optimize(cleanup_older_than=KEPT)
    # Lance leaves a file with few deleted rows as it is: write all rows anew. Where there are none, a
    # commit of nothing follows the newest one, which may be a deletion, and that names the keys.
    key = (await table.schema()).names[0]
    await table.update(where=None if await _deleted_rows(table) else "false", updates_sql={key: key})
    await _index(table, index_rows, rebuild=True)
    if folder is not None:
        # What is deleted next is all that a power loss would leave.
        await asyncio.to_thread(sync_tree, folder)
    with warnings.catch_warnings():
        # It warns of readers on old versions: ours go to the latest one and ask again.
        warnings.simplefilter("ignore", UserWarning)
        stats = await table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
    return int(stats.prune.bytes_removed)


async def _index(table: AsyncTable, index_rows: int, rebuild: bool) -> None:
    """Give a large table of faces its indexes, which `optimize` then keeps up to date.

    The vectors' has eight bits a number: the full embeddings of a few candidates correct what it loses.
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
        # Of a table that was larger: it has what was deleted.
        await table.drop_index(indexed[column])


async def _deleted_rows(table: AsyncTable) -> int:
    return int((await table.list_versions())[-1]["metadata"]["total_deletion_file_rows"])
