"""Backing up a gallery and restoring it.

A backup is a complete gallery that a service can use. It contains the faces that were enrolled when it was made, and no
trace of faces deleted before. Faces deleted later remain in it.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable

from gallery.location import MIRRORS, Location
from gallery.records import Collection
from gallery.storage.disk import LOCK, SERVICE_LOCK, sync_tree
from gallery.storage.empty_subjects import copying_empty
from gallery.storage.side_tables import beside
from gallery.storage.tables import REGISTRY, REGISTRY_SCHEMA, collection_of
from gallery.transfer.consistent_reads import (
    Report,
    TransferError,
    batches,
    collections_at,
    first_line,
    read_one_version,
)
from gallery.writing.maintenance import prune
from gallery.writing.writer import Writer
from project.files import sync


async def backup(location: Location, target: Location, report: Report) -> list[Collection]:
    """Copy the gallery at `location`. It is only read, so a service may be using it.

    Args:
        target: an empty or nonexistent folder, which is created atomically; or an empty location in an object store,
            where the registry is written last.

    Returns:
        The collections in the copy.

    Raises:
        TransferError: there is no gallery at `location`, `target` is not empty, or the copy differs from the gallery.
    """
    await collections_at(location)
    if target.folder is None:
        if await _tables(target):
            raise TransferError(f"{target.uri} is not empty")
        return await _copy(location, target, report)
    folder = target.folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TransferError(f"{folder} is not empty")
    with _temporary_sibling(folder) as part:
        collections = await _copy(location, Location(str(part)), report)
        sync_tree(part)
        part.rename(folder)
    sync(folder.parent)
    return collections


async def restore(
    source: Location, target: Location, replace: bool, report: Report
) -> tuple[list[Collection], Path | None]:
    """Copy the backup at `source` to `target`.

    Args:
        target: location without a gallery, or with an empty one.
        replace: if there is a gallery at `target`, move it aside. This is only possible for a folder.

    Returns:
        The collections, and the folder to which the earlier gallery was moved, or None.

    Raises:
        TransferError: there is no gallery at `source`, there is one at `target`, or the copy differs from the backup.
        GalleryInUseError: another process writes to the gallery at `target`.
    """
    backed_up = await collections_at(source)
    folder = target.folder and target.folder.resolve()
    if replace and folder is None:
        raise TransferError("replace works only for a gallery in a folder: restore to a different location")
    try:
        writer = await Writer.open(target)
    except (RuntimeError, ValueError) as error:
        problem = f"cannot open the gallery at {target.uri} ({first_line(error)})"
        raise TransferError(f"{problem}: move it away manually, then restore") from error
    try:
        if folder is None:
            # Tables left by an interrupted restore of this backup are replaced.
            copied = {REGISTRY, *(name for one in backed_up for name in (one.table, beside(one.table, "empty")))}
            if writer.collections or not set(await _tables(target)) <= copied:
                raise TransferError(f"the gallery at {target.uri} is not empty")
            return await _copy(source, target, report), None
        left = {path.name for path in folder.iterdir()} - {LOCK, SERVICE_LOCK, MIRRORS, f"{REGISTRY}.lance"}
        empty = not writer.collections and not left
        if not (empty or replace):
            raise TransferError(f"the gallery at {folder} is not empty; use --replace to move it aside")
        with _temporary_sibling(folder) as part:
            collections = await _copy(source, Location(str(part)), report)
            sync_tree(part)
            aside = _swap(folder, part)
        if empty:
            shutil.rmtree(aside)
        return collections, None if empty else aside
    finally:
        await writer.close()


def _swap(folder: Path, part: Path) -> Path:
    """Replace `folder` with `part`, keeping the writer's lock. Return the new path of the old folder."""
    aside = folder.with_name(f"{folder.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    # Link the lock file into both folders, so that a waiting writer locks the new gallery.
    os.link(folder / LOCK, part / LOCK)
    folder.rename(aside)
    try:
        part.rename(folder)
    except OSError:
        with contextlib.suppress(OSError):
            aside.rename(folder)
        raise
    (aside / LOCK).unlink()
    sync(folder.parent)
    return aside


async def _copy(source: Location, target: Location, report: Report) -> list[Collection]:
    """Copy and compare all tables, and write the registry last: without it, the copy is not a valid gallery."""
    theirs, ours = await source.connect(), await target.connect()
    try:
        entries = await (await theirs.open_table(REGISTRY)).query().where("NOT dropped").to_arrow()
        collections = sorted(map(collection_of, entries.to_pylist()), key=lambda collection: collection.name)
        for collection in collections:
            async with copying_empty(theirs, collection.table, ours):
                await _copy_table(theirs, collection, ours, report)
        registry = await ours.create_table(REGISTRY, schema=REGISTRY_SCHEMA, exist_ok=True)
        if collections:
            await registry.add(entries)
    finally:
        theirs.close()
        ours.close()
    if await collections_at(target) != collections:
        raise TransferError("the copy does not contain the same collections")
    return collections


async def _copy_table(theirs: AsyncConnection, collection: Collection, ours: AsyncConnection, report: Report) -> None:
    async def copy(table: AsyncTable) -> None:
        # A table written by an earlier release may lack columns.
        schema = await table.schema()
        await ours.drop_table(collection.table, ignore_missing=True)
        made = await ours.create_table(collection.table, schema=schema)
        async for batch in batches(table, schema, f"copying {collection.name}", report):
            await made.add(pa.Table.from_batches([batch]))
        # The copy took many commits; keep one version with few files.
        await prune(made, datetime.now(UTC))
        copied = await ours.open_table(collection.table)
        if await copied.count_rows() != await table.count_rows() or not (await copied.schema()).equals(schema):
            raise TransferError(f"the copy of {collection.name} differs from the collection")

    await read_one_version(theirs, collection.table, copy)


async def _tables(location: Location) -> list[str]:
    connection = await location.connect()
    try:
        return list((await connection.list_tables()).tables)
    finally:
        connection.close()


@contextmanager
def _temporary_sibling(folder: Path) -> Iterator[Path]:
    """Yield a new folder next to `folder`, to be renamed to it when complete. It is deleted otherwise."""
    if folder.is_mount():
        raise TransferError(f"{folder} is a mount point: use a folder inside it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    part.mkdir()
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
