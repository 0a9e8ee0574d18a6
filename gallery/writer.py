"""Changing the gallery: the one place where anything is committed."""

import asyncio
import logging
import os
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable

from gallery import maintenance
from gallery.disk import is_full, lock
from gallery.location import Location
from gallery.records import (
    Collection,
    EmbeddingKind,
    Enrolled,
    NewFace,
    contract_mismatch,
    digest,
    normalised,
    not_found,
    subject_key,
    unreadable,
)
from gallery.recovery import damage_of, recover
from gallery.subject_ids import refuse_blank
from gallery.tables import (
    REGISTRY,
    REGISTRY_SCHEMA,
    UNREADABLE,
    collection_of,
    faces_schema,
    is_repeated,
    known_ids,
    one_of,
    rows,
    vector_column,
)
from imaging.refused import Refused

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")

FEW_COMMITS = 20
"""Commits that are not worth an optimisation."""


class Writer:
    """Commits one change after the other; `open` makes one.

    Args:
        location: of the gallery.
        connection: to it.
        registry: its table of collections.
        lock_file: held as long as the writer lives; None on an object store.
        index_rows: faces of a collection from which on it gets a vector index.
    """

    def __init__(
        self,
        location: Location,
        connection: AsyncConnection,
        registry: AsyncTable,
        lock_file: int | None,
        index_rows: int,
    ) -> None:
        self._location = location
        self._connection = connection
        self._registry = registry
        self._lock_file = lock_file
        self._index_rows = index_rows
        self._lock = asyncio.Lock()
        self._collections: dict[str, Collection] = {}
        self._tables: dict[str, AsyncTable] = {}
        self._commits: Counter[str] = Counter()
        self._cleaned: dict[str, int] = {}
        self._last_commit = 0

    @classmethod
    async def open(cls, location: Location, index_rows: int = 120_000, patience: float = 0) -> "Writer":
        """The gallery's writer, after damage by a power loss was mended and what a crash left half done was finished.

        Args:
            patience: seconds to wait for another writer to end.

        Raises:
            GalleryInUseError: there is another writer, and it does not end. Not known of an object store.
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
        """Let another writer in."""
        async with self._lock:
            self._connection.close()
            if self._lock_file is not None:
                os.close(self._lock_file)

    @property
    def collections(self) -> list[Collection]:
        """Every collection, by name."""
        return sorted(self._collections.values(), key=lambda collection: collection.name)

    async def create(
        self, name: str, kind: EmbeddingKind, threshold: float | None, exist_ok: bool = False
    ) -> Collection:
        """Make an empty collection.

        Raises:
            Refused: ``COLLECTION_EXISTS``; with `exist_ok` only where the one there is of another kind.
        """
        async with self._lock:
            known = self._collections.get(name)
            if known is not None:
                if exist_ok and known.kind == kind:
                    return known
                raise Refused("COLLECTION_EXISTS", f"There is a collection called {name} already")
            collection = Collection(name, kind, threshold, _now(), f"faces-{uuid.uuid4().hex}")
            table = await self._connection.create_table(collection.table, schema=faces_schema(kind.size))
            await self._note(collection)
            self._tables[name] = table
            return collection

    async def set_threshold(self, name: str, threshold: float | None) -> Collection:
        """Change the least cosine similarity of a match in a collection; None for the card's own.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``.
        """
        async with self._lock:
            old = self._named(name)
            return await self._note(Collection(old.name, old.kind, threshold, old.created, old.table))

    async def drop(self, name: str) -> None:
        """Delete a collection with all that it has, versions included.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``.
        """
        async with self._lock:
            collection = self._named(name)
            await self._note(collection, dropped=True)
            await self._finish_dropping(collection)

    async def enrol(
        self,
        name: str,
        contract: str,
        faces: Sequence[NewFace],
        *,
        replace: bool = False,
        request: tuple[str, str] | None = None,
    ) -> list[Enrolled]:
        """Add faces in one commit: all of them are there afterwards, or none.

        A face that is there already stays as it is. With `replace`, the subjects' other faces are
        deleted in the same commit, and faces that are there get the new embedding.

        Args:
            contract: of the embeddings.
            request: idempotency key and digest of the request. The same ones again change nothing,
                as long as a face is there that the first request enrolled.

        Returns:
            One entry a face, in order.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``, ``COLLECTION_UNREADABLE``, ``EMBEDDING_CONTRACT_MISMATCH``,
                ``INVALID_EMBEDDING``, ``INVALID_SUBJECT``, or ``IDEMPOTENCY_KEY_REUSED`` with another request.
        """
        for face in faces:
            refuse_blank(face.subject)
        async with self._changing(name, contract) as (collection, table):
            batch = {face.id: face for face in faces}
            known = await known_ids(table, list(batch))
            if request and await is_repeated(table, request):
                return [Enrolled(face.id, face.subject, "already" if face.id in known else "deleted") for face in faces]
            if new := [face for face in batch.values() if replace or face.id not in known]:
                now = _now()
                values = [(face.id, face.subject, face.label, now, face.embedding) for face in new]
                data = self._rows(collection, values, request)
                merge = table.merge_insert("id").when_not_matched_insert_all()
                if replace:
                    merge = merge.when_matched_update_all()
                    of_subjects = one_of("subject_key", sorted({subject_key(face.subject) for face in new}))
                    # Lance reads the whole table for it: only where there is something to delete.
                    if any(row["id"] not in batch for row in await rows(table, of_subjects, ["id"])):
                        merge = merge.when_not_matched_by_source_delete(of_subjects)
                await merge.execute(data)
                self._commits[name] += 1
            answers = []
            for face in faces:
                answers.append(Enrolled(face.id, face.subject, "already" if face.id in known else "enrolled"))
                # The same one again in this request is there already.
                known.add(face.id)
            return answers

    async def insert(self, name: str, contract: str, faces: pa.RecordBatch) -> int:
        """Add exported faces as `enrol` does, with their ids (32 hex digits) and times; returns how many are new."""
        async with self._changing(name, contract) as (collection, table):
            vectors = faces["vector"].flatten().to_numpy().reshape(-1, faces["vector"].type.list_size)
            columns = [faces[column].to_pylist() for column in ("id", "subject", "label", "created")]
            batch = {face[0]: face for face in zip(*columns, vectors, strict=True)}
            known = await known_ids(table, list(batch))
            if new := [face for face_id, face in batch.items() if face_id not in known]:
                data = self._rows(collection, new, None)
                await table.merge_insert("id").when_not_matched_insert_all().execute(data)
                self._commits[name] += 1
            return len(new)

    async def delete_subjects(self, name: str, subjects: Sequence[str]) -> int:
        """Delete every face of `subjects`; those that are not there are no error.

        Returns:
            How many faces were deleted.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``, ``COLLECTION_UNREADABLE`` or ``INVALID_SUBJECT``.
        """
        keys = [subject_key(subject) for subject in subjects]
        return await self._delete(name, one_of("subject_key", keys) if keys else "false")

    async def delete_face(self, name: str, face_id: str) -> int:
        """Delete one face; returns how many were deleted, 0 or 1."""
        if not (face_id.isascii() and face_id.isalnum()):
            return 0
        return await self._delete(name, one_of("id", [face_id]))

    async def optimise(self) -> None:
        """Merge the small files of collections with many commits, and remove old versions.

        Raises:
            Refused: ``COLLECTION_UNREADABLE``, after the other collections were optimised.
        """
        names = [name for name, commits in self._commits.items() if commits >= FEW_COMMITS]
        await self._upkeep(names, lambda table: maintenance.optimise(table, self._index_rows))

    async def clean(self) -> dict[str, int]:
        """Erase what was deleted from the files: afterwards no version and no index has it any more.

        Returns:
            Bytes that were freed, by collection.

        Raises:
            Refused: ``COLLECTION_UNREADABLE``, after the other collections were cleaned.
        """
        try:
            return await self._upkeep(list(self._collections), self._clean)
        finally:
            async with self._lock:
                # It has the names of collections that were dropped.
                await self._clean(self._registry)

    @property
    def busiest(self) -> int:
        """Commits since the last optimisation, of the collection that has the most."""
        return max(self._commits.values(), default=0)

    async def _upkeep(self, names: Sequence[str], work: Callable[[AsyncTable], Awaitable[Answer]]) -> dict[str, Answer]:
        """Do `work` on each collection's table. Where one of them is refused, the others come first."""
        answers, problem = dict[str, Answer](), None
        for name in names:
            try:
                async with self._changing(name) as (_, table):
                    answers[name] = await work(table)
                    self._commits[name] = 0
            except Refused as refused:
                # Unless it was dropped meanwhile.
                if name in self._collections:
                    problem = problem or refused
        if problem is not None:
            raise problem
        return answers

    @asynccontextmanager
    async def _changing(self, name: str, contract: str | None = None) -> AsyncIterator[tuple[Collection, AsyncTable]]:
        """A collection and its table, for one change at a time.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``, ``EMBEDDING_CONTRACT_MISMATCH`` or ``COLLECTION_UNREADABLE``.
        """
        async with self._lock:
            collection = self._named(name)
            if contract not in (None, collection.kind.contract):
                raise contract_mismatch(collection)
            if name not in self._tables:
                raise unreadable(name)
            try:
                yield collection, self._tables[name]
            except UNREADABLE as error:
                if is_full(error) or await damage_of(self._location, collection.table) is None:
                    raise
                logger.error("gallery: the collection %s cannot be read: %r", name, error)  # noqa: TRY400
                raise unreadable(name) from error

    def _named(self, name: str) -> Collection:
        if name not in self._collections:
            raise not_found(name)
        return self._collections[name]

    async def _clean(self, table: AsyncTable) -> int:
        if await table.version() == self._cleaned.get(table.name):
            return 0
        folder = self._location.folder and self._location.folder / f"{table.name}.lance"
        freed = await maintenance.clean(table, self._index_rows, folder)
        self._cleaned[table.name] = await table.version()
        return freed

    async def _delete(self, name: str, where: str) -> int:
        async with self._changing(name) as (_, table):
            # An empty deletion would be a commit, too.
            if not await table.count_rows(where):
                return 0
            result: Any = await table.delete(where)
            self._commits[name] += 1
            return int(result.num_deleted_rows)

    def _rows(self, collection: Collection, faces: Sequence[Any], request: tuple[str, str] | None) -> pa.Table:
        # Larger than every commit before it, even where the clock was set back.
        self._last_commit = max(self._last_commit + 1, time.time_ns())
        ids, subjects, labels, created, vectors = map(list, zip(*faces, strict=True))
        unit = np.stack([normalised(vector, collection.kind.size) for vector in vectors])
        # An embedding that was stored before differs by rounding only: it stays as it is, bit for bit.
        same = np.isclose(vectors, unit, rtol=2e-7, atol=1e-12).all(axis=1, keepdims=True)
        keys = [subject_key(subject) for subject in subjects]
        of_commit = (self._last_commit, digest(request[0]) if request else None, request[1] if request else None)
        columns = [ids, subjects, keys, labels, created, *([value] * len(ids) for value in of_commit)]
        schema = faces_schema(collection.kind.size)
        return pa.table([*columns, vector_column(np.where(same, vectors, unit))], schema=schema)

    async def _note(self, collection: Collection, dropped: bool = False) -> Collection:
        kind = collection.kind
        row = {
            "name": collection.name,
            "table": collection.table,
            "embedder": kind.embedder,
            "model": kind.model,
            "contract": kind.contract,
            "size": kind.size,
            "threshold": collection.threshold,
            "created": collection.created,
            "dropped": dropped,
        }
        merge = self._registry.merge_insert("name").when_matched_update_all().when_not_matched_insert_all()
        await merge.execute(pa.Table.from_pylist([row], schema=REGISTRY_SCHEMA))
        self._collections[collection.name] = collection
        return collection

    async def _finish_dropping(self, collection: Collection) -> None:
        await self._connection.drop_table(collection.table, ignore_missing=True)
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
                logger.warning("gallery: finishing to drop the collection %s", collection.name)
                await self._finish_dropping(collection)
                continue
            self._collections[collection.name] = collection
            try:
                table = await self._connection.open_table(collection.table)
                newest = await table.query().select(["commit"]).to_arrow()
            except UNREADABLE:
                # The other collections are of use without it; the health says that something is wrong.
                logger.exception("gallery: the collection %s cannot be opened", collection.name)
                continue
            self._last_commit = max(self._last_commit, *newest["commit"].to_pylist(), 0)
            self._tables[collection.name] = table
            # Whatever ran before may have left many.
            self._commits[collection.name] = FEW_COMMITS


def _now() -> datetime:
    return datetime.now(UTC)
