"""The collections that a writer has open, and the table that lists them."""

import dataclasses
import logging
import time
import uuid
from asyncio import Lock
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable

from gallery.errors import contract_mismatch, not_empty, not_found, unreachable, unreadable
from gallery.location import Location
from gallery.records import Collection, EmbeddingKind
from gallery.search import mirror_folder
from gallery.storage.locks import CollectionLocks
from gallery.storage.object_store import store_errors
from gallery.storage.recovery import damage_of
from gallery.storage.removals import log_removals, newest_removal
from gallery.storage.side_tables import drop_beside
from gallery.storage.tables import (
    REGISTRY,
    REGISTRY_SCHEMA,
    UNREADABLE,
    add_missing_columns,
    collection_of,
    description,
    faces_schema,
    is_missing,
)
from gallery.writing.known_keys import KnownKeys
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")

LARGE_COMMIT = 8192
"""A commit of n faces counts as 1 + n // `LARGE_COMMIT` commits, because searches read each face that is unindexed."""


@dataclasses.dataclass(slots=True)
class OpenCollection:
    """A collection that is open for changes.

    Attributes:
        collection: its description.
        handle: its table of faces; None if that could not be opened.
        commits: number of commits since its last optimisation.
        new_rows: number of rows that they added or replaced.
        unmerged: number of commits since all its files were last merged, or since it was opened.
        merged_at: the newest commit's number when all its files were last merged, or when it was opened.
        ungathered: number of commits that added rows since the newest rows were last gathered in one file.
        gathering: whether they are being gathered.
        gathering_failed: whether that failed the last time.
        gathered_at: the newest commit's number at that time.
        removals: number of changes since it was opened that may have removed or replaced faces.
        erased: `removals` at its last clean-up; None before the first.
        known_keys: the ids and keys in the table, if it is large.
        locks: see `gallery.storage.locks`.
    """

    collection: Collection
    handle: AsyncTable | None
    commits: int = 0
    new_rows: int = 0
    unmerged: int = 0
    merged_at: int = 0
    ungathered: int = 0
    gathering: bool = False
    gathering_failed: bool = False
    gathered_at: int = 0
    removals: int = 0
    erased: int | None = None
    known_keys: KnownKeys | None = None
    locks: CollectionLocks = dataclasses.field(default_factory=CollectionLocks)

    def count_row_commit(self, rows: int = 0) -> None:
        """Count a commit that added or replaced rows, and the rows if there may be many, for the next maintenance."""
        commits = 1 + rows // LARGE_COMMIT
        self.commits += commits
        self.ungathered += commits
        self.new_rows += rows

    async def note_rows(self, rows: pa.Table) -> None:
        """Count a commit that added or replaced `rows`, and remember their ids and keys, in the same change."""
        self.count_row_commit(rows.num_rows)
        if self.known_keys is not None:
            await self.known_keys.add(rows, self.table)

    async def may_contain(self, *columns: Any) -> bool:
        """Whether the table may contain one of these ids or keys; see `KnownKeys.may_contain`. Call it in a change."""
        if self.known_keys is None:
            return True
        await self.known_keys.follow(self.table)
        return self.known_keys.may_contain(*columns)

    @property
    def table(self) -> AsyncTable:
        """The table of faces. Raises ``COLLECTION_UNREADABLE`` if it could not be opened."""
        if self.handle is None:
            raise unreadable(self.collection.name)
        return self.handle


class Registry:
    """Creates, opens, locks and drops collections, and numbers their commits. Create it with `open`.

    Attributes:
        location: where the gallery is stored.
        connection: the connection to the gallery.
        table: the table that lists the collections.
    """

    def __init__(self, location: Location, connection: AsyncConnection, table: AsyncTable) -> None:
        self.location = location
        self.connection = connection
        self.table = table
        self._lock = Lock()
        self._newest_commit = 0
        self._open: dict[str, OpenCollection] = {}
        self._version = -1

    @classmethod
    async def open(cls, location: Location) -> "Registry":
        """Open all collections of a gallery, and complete interrupted drops.

        Raises:
            Exception: the registry cannot be read.
        """
        with store_errors():
            connection = await location.connect()
            table = await connection.create_table(REGISTRY, schema=REGISTRY_SCHEMA, exist_ok=True)
            registry = cls(location, connection, table)
            for row in await table.query().to_list():
                if row["dropped"]:
                    logger.warning("gallery: completing the drop of the collection %s", row["name"])
                    await registry._complete_drop(collection_of(row))
                else:
                    await registry._load(collection_of(row))
            return registry

    async def close(self) -> None:
        """Wait until all changes and maintenance have ended, and close the connection."""
        async with AsyncExitStack() as held:
            for opened in list(self._open.values()):
                await held.enter_async_context(opened.locks.everything())
            await held.enter_async_context(self._lock)
            self.connection.close()

    @property
    def opened(self) -> list[OpenCollection]:
        """All collections, sorted by name."""
        return [self._open[name] for name in sorted(self._open)]

    def __contains__(self, name: str) -> bool:
        return name in self._open

    async def create(self, name: str, kind: EmbeddingKind, threshold: float | None, exist_ok: bool) -> Collection:
        """Create an empty collection; see `gallery.writing.writer.Writer.create`."""
        async with self.changing():
            if name in self._open:
                known = self._open[name].collection
                if exist_ok and known.kind == kind:
                    return known
                raise RequestError("COLLECTION_EXISTS", f"Collection {name} already exists")
            collection = Collection(name, kind, threshold, datetime.now(UTC), f"faces-{uuid.uuid4().hex}")
            table = await self.connection.create_table(collection.table, schema=faces_schema(kind.size))
            if await self.register(collection, where="target.dropped"):
                self._open[name] = OpenCollection(collection, table)
                return collection
            await self.connection.drop_table(collection.table)
        # Another writer was faster.
        return await self.create(name, kind, threshold, exist_ok)

    async def set_threshold(self, name: str, threshold: float | None) -> Collection:
        """Set a collection's threshold; see `gallery.writing.writer.Writer.set_threshold`."""
        async with self.changing():
            opened = self._known(name)
            collection = dataclasses.replace(opened.collection, threshold=threshold)
            await self.register(collection)
            opened.collection = collection
            return collection

    async def drop(self, name: str, only_empty: bool) -> None:
        """Delete a collection; see `gallery.writing.writer.Writer.drop`."""
        opened = await self._named(name)
        if only_empty:
            # Refuse at once, instead of after maintenance.
            await self._check_empty(opened)
        async with opened.locks.everything():
            if only_empty:
                await self._check_empty(opened)
            async with self.changing():
                self._check_open(opened)
                await self.register(opened.collection, dropped=True)
                # Before its files are deleted, so that requests without a lock do not take it for damaged.
                del self._open[name]
                try:
                    await self._complete_drop(opened.collection)
                except BaseException:
                    # The drop can be repeated.
                    self._open[name] = opened
                    raise

    @asynccontextmanager
    async def change(
        self, name: str, contract: str | None = None, *, removes: bool = False
    ) -> AsyncIterator[OpenCollection]:
        """Lock a collection for one change of its table. Decorate the change with `gallery.storage.locks.repeated`.

        Args:
            contract: contract of the change's embeddings.
            removes: whether the change may remove or replace rows.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``, ``EMBEDDING_CONTRACT_MISMATCH`` or ``COLLECTION_UNREADABLE``.
        """
        opened = await self._named(name)
        async with opened.locks.changing(removes), self._readable(opened):
            if contract not in (None, opened.collection.kind.contract):
                raise contract_mismatch(opened.collection)
            opened.removals += removes
            try:
                yield opened
            except RequestError:
                # Nothing was changed.
                raise
            except BaseException:
                # The change may have been made all the same.
                opened.known_keys = None
                raise

    @asynccontextmanager
    async def maintain(self, name: str) -> AsyncIterator[OpenCollection]:
        """Lock a collection for maintenance, which takes the other locks when it needs them.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``.
        """
        opened = await self._named(name)
        async with opened.locks.maintenance, self._readable(opened):
            yield opened

    def next_commit(self) -> int:
        """Return the number of a new commit to a collection."""
        # Always larger than earlier commits, even if the clock was set back.
        self._newest_commit = max(self._newest_commit + 1, time.time_ns())
        return self._newest_commit

    async def log_removed(self, opened: OpenCollection, gone: pa.Table) -> None:
        """Log faces that are about to be removed, or to get another subject; see `log_removals`."""
        await log_removals(self.connection, opened.table.name, gone, self.next_commit())

    async def register(self, collection: Collection, *, dropped: bool = False, where: str | None = None) -> bool:
        """Add a collection to the table, or replace its row.

        Args:
            dropped: whether its files are about to be deleted.
            where: condition on the row that is replaced.

        Returns:
            Whether the table was changed.
        """
        row = description(collection) | {"table": collection.table, "dropped": dropped}
        merge = self.table.merge_insert("name").when_matched_update_all(where=where).when_not_matched_insert_all()
        result: Any = await merge.execute(pa.Table.from_pylist([row], schema=REGISTRY_SCHEMA))
        return bool(result.num_inserted_rows or result.num_updated_rows)

    async def _named(self, name: str) -> OpenCollection:
        if self.location.folder is None:
            async with self.changing():
                pass
        return self._known(name)

    def _known(self, name: str) -> OpenCollection:
        if name not in self._open:
            raise not_found(name)
        return self._open[name]

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Lock the table. In an object store, also read what another writer has changed; a folder has one writer."""
        async with self._lock:
            with self._reachable():
                if self.location.folder is None:
                    await self._follow()
                yield

    async def _follow(self) -> None:
        await self.table.checkout_latest()
        version = await self.table.version()
        if version == self._version:
            return
        rows = await self.table.query().where("NOT dropped").to_list()
        found = {each.name: each for each in map(collection_of, rows)}
        for name, opened in list(self._open.items()):
            if name in found and found[name].table == opened.collection.table:
                opened.collection = found.pop(name)
            else:
                del self._open[name]
        for collection in found.values():
            await self._load(collection)
        self._version = version

    def _check_open(self, opened: OpenCollection) -> None:
        """Check that a collection was not dropped since it was looked up."""
        if self._open.get(opened.collection.name) is not opened:
            raise not_found(opened.collection.name)

    async def _check_empty(self, opened: OpenCollection) -> None:
        """Check that a collection contains no faces."""
        async with self._readable(opened):
            await opened.table.checkout_latest()
            if await opened.table.count_rows():
                raise not_empty()

    @asynccontextmanager
    async def _readable(self, opened: OpenCollection) -> AsyncIterator[None]:
        """Raise ``COLLECTION_UNREADABLE`` if the block fails because the table is damaged."""
        self._check_open(opened)
        table = opened.table
        try:
            with self._reachable():
                if self.location.folder is None:
                    # Another writer may have changed the table.
                    await table.checkout_latest()
                yield
        except UNREADABLE as error:
            collection = opened.collection
            damage = await damage_of(self.location, collection.table)
            # It may have been dropped in the meantime.
            self._check_open(opened)
            if damage is None:
                await table.checkout_latest()
                raise
            logger.error("gallery: the collection %s cannot be read: %r", collection.name, error)  # noqa: TRY400
            raise unreadable(collection.name) from error

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """Raise ``UNAVAILABLE`` if the object store makes the block fail, or the folder is missing before or after it.

        Lance would create a missing folder, and changes in it would be lost once the gallery is back.
        """
        if is_missing(self.location):
            raise unreachable()
        with store_errors():
            try:
                yield
            finally:
                if is_missing(self.location):
                    raise unreachable()

    async def _complete_drop(self, collection: Collection) -> None:
        await self.connection.drop_table(collection.table, ignore_missing=True)
        await drop_beside(self.connection, collection.table, "removed", "empty", "answers")
        mirror_folder.remove(self.location.mirrors / collection.table)
        # Another writer may have created a collection of the same name.
        await self.table.delete(f"`table` = '{collection.table}'")

    async def _load(self, collection: Collection) -> None:
        self._open[collection.name] = OpenCollection(collection, None)
        try:
            with store_errors():
                table = await self.connection.open_table(collection.table)
            # A commit is numbered by its time, so the newest number matters only if the clock was set back.
            ahead = await table.query().where(f"commit > {time.time_ns()}").select(["commit"]).to_arrow()
            # The rows of newer commits may have been removed.
            removed = await newest_removal(self.connection, collection.table) or 0
        except UNREADABLE:
            # Serve the other collections. The reader's check reports this one.
            logger.exception("gallery: the collection %s cannot be opened", collection.name)
            return
        try:
            await add_missing_columns(table, collection.kind.size)
        except UNREADABLE as error:
            # The disk may be full. Everything else works without the missing columns.
            logger.warning("gallery: no column was added to the collection %s: %r", collection.name, error)
        self._newest_commit = max([self._newest_commit, removed, *ahead["commit"].to_pylist()])
        opened = self._open[collection.name]
        opened.handle, opened.merged_at = table, self.next_commit()
