"""Changing the gallery. All commits are made here."""

import asyncio
import dataclasses
import logging
import os
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable

from gallery import maintenance
from gallery.disk import lock
from gallery.location import Location
from gallery.records import (
    Collection,
    EmbeddingKind,
    Enrolled,
    NewFace,
    contract_mismatch,
    not_found,
    subject_key,
    unreadable,
)
from gallery.recovery import damage_of, recover
from gallery.removals import drop_log, erase_log, log_removals, merge_log
from gallery.renaming import check_merge, check_rename, move_faces
from gallery.stored_faces import StoredFaces
from gallery.subject_ids import refuse_blank
from gallery.tables import (
    REGISTRY,
    REGISTRY_SCHEMA,
    UNREADABLE,
    FaceRow,
    add_missing_columns,
    collection_of,
    description,
    face_rows,
    faces_schema,
    is_repeated,
    known_ids,
    one_of,
    vectors_of,
)
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")

FEW_COMMITS = 20
"""Number of commits to a collection before it is worth optimising."""


class Writer:
    """Commits one change at a time. Create it with `open`."""

    def __init__(
        self, location: Location, connection: AsyncConnection, registry: AsyncTable, lock: int | None, index_rows: int
    ) -> None:
        self._location = location
        self._connection = connection
        self._registry = registry
        self._lock_file = lock
        self._index_rows = index_rows
        self._lock = asyncio.Lock()
        self._collections: dict[str, Collection] = {}
        self._tables: dict[str, AsyncTable] = {}
        self._commits: Counter[str] = Counter()
        self._cleaned: dict[str, int] = {}
        self._last_commit = 0

    @classmethod
    async def open(cls, location: Location, index_rows: int = 120_000, patience: float = 0) -> "Writer":
        """Open the gallery for writing, after repairing damage from a power loss and completing interrupted drops.

        Args:
            index_rows: number of faces at which a collection gets a vector index.
            patience: time to wait for another writer, in seconds.

        Raises:
            GalleryInUseError: another writer still has the gallery open. Not detected in an object store.
        """
        lock_file = None if location.folder is None else await lock(location.folder, patience)
        try:
            await recover(location)
            connection = await location.connect()
            registry = await connection.create_table(REGISTRY, schema=REGISTRY_SCHEMA, exist_ok=True)
            writer = cls(location, connection, registry, lock_file, index_rows)
            await writer._load()
        except BaseException:
            if lock_file is not None:
                os.close(lock_file)
            raise
        return writer

    async def close(self) -> None:
        """Close the gallery, so that another writer can open it."""
        async with self._lock:
            self._connection.close()
            if self._lock_file is not None:
                os.close(self._lock_file)

    @property
    def collections(self) -> list[Collection]:
        """All collections, sorted by name."""
        return sorted(self._collections.values(), key=lambda collection: collection.name)

    async def create(
        self, name: str, kind: EmbeddingKind, threshold: float | None, exist_ok: bool = False
    ) -> Collection:
        """Create an empty collection.

        Args:
            exist_ok: return an existing collection of this name if its embeddings are of the same kind.

        Raises:
            RequestError: ``COLLECTION_EXISTS``.
        """
        async with self._lock:
            known = self._collections.get(name)
            if known is not None:
                if exist_ok and known.kind == kind:
                    return known
                raise RequestError("COLLECTION_EXISTS", f"Collection {name} already exists")
            collection = Collection(name, kind, threshold, datetime.now(UTC), f"faces-{uuid.uuid4().hex}")
            table = await self._connection.create_table(collection.table, schema=faces_schema(kind.size))
            await self._register(collection)
            self._tables[name] = table
            return collection

    async def set_threshold(self, name: str, threshold: float | None) -> Collection:
        """Set the minimum cosine similarity of a match in a collection; None for the card's threshold.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``.
        """
        async with self._lock:
            return await self._register(dataclasses.replace(self._collection(name), threshold=threshold))

    async def drop(self, name: str) -> None:
        """Delete a collection with all its faces, in all versions.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``.
        """
        async with self._lock:
            collection = self._collection(name)
            await self._register(collection, dropped=True)
            await self._complete_drop(collection)

    async def enrol(
        self,
        name: str,
        contract: str,
        faces: Sequence[NewFace],
        *,
        replace: bool = False,
        request: tuple[str, str] | None = None,
    ) -> list[Enrolled]:
        """Enrol faces in one commit: either all of them or none.

        Faces that are already enrolled are left unchanged. With `replace`, they get the new embedding, and the
        subjects' other faces are deleted in the same commit. A face that moved to another subject stays there; only
        with `replace` is it enrolled again, with another id.

        Args:
            contract: contract of the embeddings.
            request: idempotency key and digest of the request. Repeating a request changes nothing while any face
                that it enrolled still exists.

        Returns:
            One result per face, in order.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``, ``COLLECTION_UNREADABLE``, ``EMBEDDING_CONTRACT_MISMATCH``,
                ``INVALID_EMBEDDING``, ``INVALID_SUBJECT``, or ``IDEMPOTENCY_KEY_REUSED`` for a different request.
        """
        for face in faces:
            refuse_blank(face.subject)
        async with self._changing(name, contract) as (collection, table):
            await add_missing_columns(table, collection.kind.size)
            repeated = request is not None and await is_repeated(table, request)
            stored = await StoredFaces.of(table, faces, again=replace and not repeated)
            if repeated:
                status = {face_id: known or "deleted" for face_id, known in stored.statuses.items()}
                return [Enrolled(stored.ids[face.id], face.subject, status[face.id]) for face in faces]
            if new := {stored.ids[face.id]: face for face in faces if replace or not stored.statuses[face.id]}:
                now = datetime.now(UTC)
                values = [
                    (face_id, face.subject, face.label, now, face.embedding, face.source_number)
                    for face_id, face in new.items()
                ]
                data = self._rows(collection, values, request)
                merge = table.merge_insert("id").when_not_matched_insert_all()
                if replace:
                    merge = merge.when_matched_update_all()
                    keys = {subject_key(face.subject) for face in new.values()}
                    # Lance reads the whole table for this clause, so add it only if there is something to delete.
                    if others := stored.of_subjects(keys) - new.keys():
                        await self._log(collection, table, one_of("id", sorted(others)))
                        merge = merge.when_not_matched_by_source_delete(one_of("subject_key", sorted(keys)))
                await merge.execute(data)
                self._commits[name] += 1
            results, enrolled = [], set[str]()
            for face in faces:
                # If the request contains the face again, it is already enrolled.
                known = stored.statuses[face.id] or ("already" if face.id in enrolled else "enrolled")
                results.append(Enrolled(stored.ids[face.id], face.subject, known))
                enrolled.add(face.id)
            return results

    async def insert(self, name: str, contract: str, faces: pa.RecordBatch) -> int:
        """Add exported faces with their ids (32 hex digits) and times, and return how many are new.

        Raises:
            RequestError: as `enrol`.
        """
        async with self._changing(name, contract) as (collection, table):
            await add_missing_columns(table, collection.kind.size)
            vectors = vectors_of(faces["vector"], faces["vector"].type.list_size)
            columns = [faces[column].to_pylist() for column in ("id", "subject", "label", "created")]
            sources = faces["source"].to_pylist() if "source" in faces.schema.names else [None] * len(vectors)
            batch = {face[0]: face for face in zip(*columns, vectors, sources, strict=True)}
            known = await known_ids(table, list(batch))
            if new := [face for face_id, face in batch.items() if face_id not in known]:
                data = self._rows(collection, new, None)
                await table.merge_insert("id").when_not_matched_insert_all().execute(data)
                self._commits[name] += 1
            return len(new)

    async def rename_subject(self, name: str, subject: str, new: str) -> int:
        """Give a subject another id in one commit. Its faces keep their ids.

        Returns:
            The number of its faces.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``, ``COLLECTION_UNREADABLE``, ``SUBJECT_NOT_FOUND``,
                ``SUBJECT_EXISTS`` if there is a subject called `new`, or ``INVALID_SUBJECT``.
        """
        async with self._changing(name) as (collection, table):
            await check_rename(table, subject, new)
            return await self._move(collection, table, [subject], new)

    async def merge_subjects(self, name: str, subjects: Sequence[str], into: str) -> int:
        """Give all faces of `subjects` to the subject `into` in one commit. They keep their ids.

        Returns:
            The number of faces of `subjects`.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``, ``COLLECTION_UNREADABLE``, ``INVALID_SUBJECT``, also if `into` is
                one of `subjects`, or ``SUBJECT_NOT_FOUND`` if any of them does not exist.
        """
        async with self._changing(name) as (collection, table):
            await check_merge(table, subjects, into)
            return await self._move(collection, table, subjects, into)

    async def delete_subjects(self, name: str, subjects: Sequence[str]) -> int:
        """Delete all faces of `subjects`, and ignore those that are not enrolled.

        Returns:
            The number of faces deleted.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``, ``COLLECTION_UNREADABLE`` or ``INVALID_SUBJECT``.
        """
        keys = [subject_key(subject) for subject in subjects]
        return await self._delete(name, one_of("subject_key", keys) if keys else "false")

    async def delete_face(self, name: str, face_id: str) -> int:
        """Delete one face, and return the number of faces deleted, 0 or 1.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``.
        """
        return await self.delete_faces(name, [face_id] if face_id.isascii() and face_id.isalnum() else [])

    async def delete_faces(self, name: str, face_ids: Sequence[str]) -> int:
        """Delete faces in one commit, ignore unknown ids, and return the number of faces deleted.

        Args:
            face_ids: hex digits each.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``.
        """
        return await self._delete(name, one_of("id", face_ids) if face_ids else "false")

    async def optimise(self) -> None:
        """Merge the small files of collections with many commits, and remove their old versions.

        Raises:
            RequestError: ``COLLECTION_UNREADABLE``, after all other collections have been optimised.
        """
        names = [name for name, commits in self._commits.items() if commits >= FEW_COMMITS]
        await self._maintain(names, self._optimise)

    async def clean(self) -> dict[str, int]:
        """Erase deleted faces from the files, so that no version and no index contains them.

        Returns:
            The number of bytes freed, by collection.

        Raises:
            RequestError: ``COLLECTION_UNREADABLE``, after all other collections have been cleaned.
        """
        try:
            return await self._maintain(list(self._collections), self._clean)
        finally:
            async with self._lock:
                # It contains the names of dropped collections.
                await self._clean(self._registry)

    @property
    def busiest(self) -> int:
        """The largest number of commits to a collection since its last optimisation."""
        return max(self._commits.values(), default=0)

    async def _maintain(
        self, names: Sequence[str], work: Callable[[AsyncTable], Awaitable[Answer]]
    ) -> dict[str, Answer]:
        """Do `work` on each collection's table. Raises the first `RequestError` at the end."""
        answers, problem = dict[str, Answer](), None
        for name in names:
            try:
                async with self._changing(name) as (_, table):
                    answers[name] = await work(table)
                    self._commits[name] = 0
            except RequestError as refused:
                # Ignore a collection that was dropped in the meantime.
                if name in self._collections:
                    problem = problem or refused
        if problem is not None:
            raise problem
        return answers

    @asynccontextmanager
    async def _changing(self, name: str, contract: str | None = None) -> AsyncIterator[tuple[Collection, AsyncTable]]:
        """Lock the gallery for one change of a collection's table.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``, ``EMBEDDING_CONTRACT_MISMATCH`` or ``COLLECTION_UNREADABLE``.
        """
        async with self._lock:
            collection = self._collection(name)
            if contract not in (None, collection.kind.contract):
                raise contract_mismatch(collection)
            if name not in self._tables:
                raise unreadable(name)
            try:
                yield collection, self._tables[name]
            except UNREADABLE as error:
                if await damage_of(self._location, collection.table) is None:
                    raise
                logger.error("gallery: the collection %s cannot be read: %r", name, error)  # noqa: TRY400
                raise unreadable(name) from error

    def _collection(self, name: str) -> Collection:
        if name not in self._collections:
            raise not_found(name)
        return self._collections[name]

    async def _optimise(self, table: AsyncTable) -> None:
        await maintenance.optimise(table, self._index_rows)
        await merge_log(self._connection, table.name)

    async def _clean(self, table: AsyncTable) -> int:
        if await table.version() == self._cleaned.get(table.name):
            return 0
        folder = self._location.folder and self._location.folder / f"{table.name}.lance"
        freed = await maintenance.clean(table, self._index_rows, folder)
        await erase_log(self._connection, table.name)
        self._cleaned[table.name] = await table.version()
        return freed

    async def _delete(self, name: str, where: str) -> int:
        async with self._changing(name) as (collection, table):
            # Deleting nothing would still create a commit.
            if not await self._log(collection, table, where):
                return 0
            result: Any = await table.delete(where)
            self._commits[name] += 1
            return int(result.num_deleted_rows)

    async def _move(self, collection: Collection, table: AsyncTable, subjects: Sequence[str], to: str) -> int:
        keys = sorted({subject_key(subject) for subject in subjects})
        await self._log(collection, table, one_of("subject_key", keys))
        self._commits[collection.name] += 1
        return await move_faces(table, keys, to, self._next_commit())

    async def _log(self, collection: Collection, table: AsyncTable, where: str) -> bool:
        """Log the faces that are about to be removed. Return whether there are any."""
        gone = await table.query().where(where).select(["id", "subject"]).to_arrow()
        if gone.num_rows:
            await log_removals(self._connection, collection.table, gone, self._next_commit())
        return bool(gone.num_rows)

    def _rows(self, collection: Collection, faces: Sequence[FaceRow], request: tuple[str, str] | None) -> pa.Table:
        return face_rows(faces, collection.kind.size, self._next_commit(), request)

    def _next_commit(self) -> int:
        # Always larger than earlier commits, even if the clock was set back.
        self._last_commit = max(self._last_commit + 1, time.time_ns())
        return self._last_commit

    async def _register(self, collection: Collection, dropped: bool = False) -> Collection:
        row = description(collection) | {"table": collection.table, "dropped": dropped}
        merge = self._registry.merge_insert("name").when_matched_update_all().when_not_matched_insert_all()
        await merge.execute(pa.Table.from_pylist([row], schema=REGISTRY_SCHEMA))
        self._collections[collection.name] = collection
        return collection

    async def _complete_drop(self, collection: Collection) -> None:
        await self._connection.drop_table(collection.table, ignore_missing=True)
        await drop_log(self._connection, collection.table)
        escaped = collection.name.replace("'", "''")
        await self._registry.delete(f"name = '{escaped}'")
        self._collections.pop(collection.name, None)
        self._tables.pop(collection.name, None)
        self._commits.pop(collection.name, None)
        self._cleaned.pop(collection.table, None)

    async def _load(self) -> None:
        for row in await self._registry.query().to_list():
            collection = collection_of(row)
            if row["dropped"]:
                logger.warning("gallery: completing the drop of the collection %s", collection.name)
                await self._complete_drop(collection)
                continue
            self._collections[collection.name] = collection
            try:
                table = await self._connection.open_table(collection.table)
                newest = await table.query().select(["commit"]).to_arrow()
            except UNREADABLE:
                # Serve the other collections. The reader's check reports this one.
                logger.exception("gallery: the collection %s cannot be opened", collection.name)
                continue
            self._last_commit = max(self._last_commit, *newest["commit"].to_pylist(), 0)
            self._tables[collection.name] = table
            # The previous writer may have left many commits.
            self._commits[collection.name] = FEW_COMMITS
