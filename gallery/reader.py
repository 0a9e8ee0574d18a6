"""Searching and listing the gallery."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gallery.errors import contract_mismatch, not_found, subject_not_found, unreadable
from gallery.exact_search import ExactSearch, Tables
from gallery.face_reads import FaceReads
from gallery.face_table import FaceTable
from gallery.index_health import tend_indexes
from gallery.location import Location
from gallery.metadata import described, has_metadata, texts_of_subjects
from gallery.metadata_format import decoded
from gallery.object_store import PATIENCE_S, store_errors, store_unavailable
from gallery.records import (
    Collection,
    Hit,
    IndexHealth,
    KnownStatus,
    Metadata,
    NewFace,
    Statistics,
    StoredFace,
    Subject,
    subject_key,
)
from gallery.roster import Roster
from gallery.snapshot import Snapshot
from gallery.stored_faces import StoredFaces
from gallery.tables import UNREADABLE, one_of
from gallery.unit_vectors import normalised
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")

ROSTER_BYTES = 256 * 2**20
"""Maximum memory for the rosters of several collections. The one asked last may be larger."""


class Reader(FaceReads):
    """Reads the latest version of the gallery, so it sees every acknowledged change.

    Reading an open table fails if a clean-up removed one of its files or the gallery was replaced by another. That
    table is then reopened once; other tables keep their mirrors.

    Args:
        location: where the gallery is stored. It need not exist yet.
        exact_mb: memory for exact search, in MiB. A larger collection is searched with its index.
        threads: threads of an exact search.
    """

    def __init__(self, location: Location, exact_mb: int, threads: int = 1) -> None:
        self._location = location
        self._exact = ExactSearch(location, exact_mb, threads)
        self._following = asyncio.Lock()
        self._snapshot: Snapshot | None = None

    async def collections(self) -> list[Collection]:
        """Return all collections, sorted by name.

        Raises:
            Exception: the registry cannot be read.
        """
        return list((await self._latest()).collections.values())

    async def collection(self, name: str) -> Collection:
        """Return the collection called `name`.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``.
        """
        try:
            return (await self._latest()).collections[name]
        except KeyError:
            raise not_found(name) from None

    async def unreadable(self) -> list[str]:
        """Return the names of collections whose newest version does not open, or that failed and still cannot be read.

        Raises:
            Exception: the registry cannot be read.
        """

        async def check(faces: FaceTable) -> None:
            await faces.check()
            await self._exact.follow(faces, self._tables)

        names = []
        for collection in await self.collections():
            try:
                await self._read(collection, check)
            except RequestError as refused:
                if refused.code == "COLLECTION_UNREADABLE":
                    names.append(collection.name)
        return names

    async def index_health(self) -> list[IndexHealth]:
        """Load and measure the indexes of large collections, and return their state; see `gallery.index_health`."""
        return await tend_indexes(await self._latest(), self._exact)

    async def statistics(self, collection: Collection) -> Statistics:
        """Return the size of `collection`.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``, as all methods below.
        """

        async def ask(faces: FaceTable) -> Statistics:
            found = await faces.roster.statistics()
            self._forget_rosters(faces)
            return replace(found, changed=max(found.changed, collection.created))

        return await self._read(collection, ask)

    async def count(self, collection: Collection) -> int:
        """Return the number of faces in `collection`."""

        async def ask(faces: FaceTable) -> int:
            return await (await faces.latest()).count_rows()

        return await self._read(collection, ask)

    async def subjects(self, collection: Collection, after: str, limit: int | None) -> list[Subject]:
        """Return the subjects with ids greater than `after`, in the order of code points.

        Args:
            limit: maximum number of subjects; None for all.
        """

        async def ask(faces: FaceTable) -> list[Subject]:
            return await asyncio.to_thread((await self._roster(faces)).page, after, limit)

        return await self._read(collection, ask)

    async def faces(self, collection: Collection, subject: str, or_empty: bool = False) -> list[StoredFace]:
        """Return the faces of `subject` in the order of their enrolment.

        Args:
            or_empty: return no faces for a subject that exists without faces.

        Raises:
            RequestError: ``SUBJECT_NOT_FOUND`` or ``INVALID_SUBJECT``.
        """
        where = one_of("subject_key", [subject_key(subject)])

        async def ask(faces: FaceTable) -> pa.Table:
            async def read() -> pa.Table:
                query = (await faces.latest()).query().where(where)
                return await query.select(["id", "subject", "label", "created"]).to_arrow()

            found, empty = await faces.empty.beside(read) if or_empty else (await read(), ())
            if not found.num_rows and subject not in empty:
                raise subject_not_found()
            return found

        found = (await self._read(collection, ask)).sort_by("created")
        return [StoredFace(*row) for row in zip(*(column.to_pylist() for column in found.columns), strict=True)]

    async def enrolment_statuses(
        self, collection: Collection, faces: Sequence[NewFace], again: bool
    ) -> list[KnownStatus | None]:
        """Return the status of each face that `collection` contains, as an enrolment would recognise it; None if new.

        Args:
            again: whether a face that moved to another subject is new, as it is for an enrolment that replaces.
        """

        async def ask(table: FaceTable) -> list[KnownStatus | None]:
            stored = await StoredFaces.of(await table.latest(), faces, again)
            return [stored.statuses[face.id] for face in faces]

        return await self._read(collection, ask)

    async def metadata(self, collection: Collection, subjects: Sequence[str]) -> dict[str, Metadata]:
        """Return the metadata of those of `subjects` that have any, by their ids."""
        by_key = {subject_key(subject): subject for subject in subjects}

        async def ask(faces: FaceTable) -> dict[str, Metadata]:
            table = await faces.latest()
            if not await has_metadata(table):
                return {}
            texts = await texts_of_subjects(table, list(by_key))
            return {by_key[key]: metadata for key, text in texts.items() if (metadata := decoded(text)) is not None}

        return await self._read(collection, ask)

    async def find(
        self, name: str, contract: str, probes: Sequence[NDArray[np.float32]], count: int
    ) -> tuple[Collection, list[list[Hit]]]:
        """Return a collection, and for each probe the `count` most similar subjects by their best face, best first.

        Args:
            name: name of the collection.
            contract: contract of the probes.
            probes: float32 (size) each.
            count: at least 1.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``, ``EMBEDDING_CONTRACT_MISMATCH`` or ``INVALID_EMBEDDING``.
        """
        collection, unit = await self._probing(name, contract, probes)

        async def ask(faces: FaceTable) -> list[list[Hit]]:
            table = await faces.latest()
            hits = await self._exact.find(faces, self._tables, unit, count)
            if hits is None:
                hits = [await faces.index.best(await faces.latest(), probe, count) for probe in unit]
            return await described(table, hits)

        return collection, await self._read(collection, ask)

    async def _probing(
        self, name: str, contract: str, probes: Sequence[NDArray[np.float32]]
    ) -> tuple[Collection, list[NDArray[np.float32]]]:
        """Return the collection called `name`, and the probes scaled to length 1. Raises as `find`."""
        collection = await self.collection(name)
        if contract != collection.kind.contract:
            raise contract_mismatch(collection)
        return collection, [normalised(probe, collection.kind.size) for probe in probes]

    @property
    def _tables(self) -> Tables:
        return self._snapshot.faces if self._snapshot else {}

    async def _roster(self, faces: FaceTable) -> Roster:
        roster = await faces.roster.latest()
        self._forget_rosters(faces)
        return roster

    def _forget_rosters(self, asked: FaceTable) -> None:
        """Keep the roster of `asked`, and of the other tables those used last, up to `ROSTER_BYTES`."""
        room = ROSTER_BYTES - asked.roster.bytes
        for each in sorted(self._tables.values(), key=lambda each: each.roster.asked, reverse=True):
            if each is not asked:
                room -= each.roster.bytes
                if room < 0:
                    each.roster.forget()

    async def _read(self, collection: Collection, ask: Callable[[FaceTable], Awaitable[Answer]]) -> Answer:
        """Return the result of `ask` on the collection's table, which is reopened once if that fails.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``; ``COLLECTION_UNREADABLE`` if the reopened table fails as well; or
                raised by `ask`.
        """
        snapshot = self._snapshot
        if snapshot is None or collection.table not in snapshot.faces:
            snapshot = await self._latest()
        failed = _table_of(snapshot, collection)
        try:
            with store_errors():
                return await ask(failed)
        except UNREADABLE as error:
            if not failed.damaged:
                logger.warning("gallery: reopening the collection %s after %r", collection.name, error)
        faces = _table_of(await self._latest(failed), collection)
        faces.damaged = faces.damaged or failed.damaged
        try:
            with store_errors():
                return await ask(faces)
        except UNREADABLE as error:
            # The check would repeat this error: log it once.
            if not faces.damaged:
                # A traceback would hide the message on a terminal, and the error contains the cause.
                logger.error("gallery: the collection %s cannot be read: %r", collection.name, error)  # noqa: TRY400
            faces.damaged = True
            raise unreadable(collection.name) from error

    async def _latest(self, failed: FaceTable | None = None) -> Snapshot:
        """Return the gallery's latest version. Reopen it if that fails, or to replace the table that `failed`.

        Raises:
            RequestError: ``UNAVAILABLE``: an object store has a problem, or does not respond.
        """
        try:
            with store_errors():
                async with asyncio.timeout(PATIENCE_S if self._location.folder is None else None), self._following:
                    return self._follow(await self._newest(failed))
        except TimeoutError as error:
            raise store_unavailable("does not respond") from error

    async def _newest(self, failed: FaceTable | None) -> Snapshot:
        if self._snapshot is not None and failed is None:
            try:
                with store_errors():
                    return await self._snapshot.latest()
            except UNREADABLE as error:
                logger.warning("gallery: reopening it after %r", error)
        kept = {name: table for name, table in self._tables.items() if table is not failed}
        return await Snapshot.open(self._location, kept)

    def _follow(self, snapshot: Snapshot) -> Snapshot:
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._exact.remove_dropped(snapshot.faces)
        return snapshot


def _table_of(snapshot: Snapshot, collection: Collection) -> FaceTable:
    """Return the table of `collection`, or of the collection that now has its name."""
    now = snapshot.collections.get(collection.name)
    if now is None:
        raise not_found(collection.name)
    if now.kind != collection.kind:
        raise contract_mismatch(now)
    return snapshot.faces[now.table]
