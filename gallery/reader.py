"""Searching and listing the gallery."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gallery.face_table import FaceTable
from gallery.location import Location
from gallery.mirror import Mirror
from gallery.records import (
    Collection,
    Hit,
    Statistics,
    StoredFace,
    Subject,
    contract_mismatch,
    normalised,
    not_found,
    subject_key,
    unreadable,
)
from gallery.snapshot import Snapshot
from gallery.tables import UNREADABLE, one_of
from imaging.refused import Refused

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")


class Reader:
    """Reads the latest version of everything, so it sees every acknowledged change.

    An open table fails if a clean-up removed a file, or another gallery was put in its place. That table is then
    reopened once; the others keep their mirrors.

    Args:
        location: of the gallery, which need not exist yet.
        exact_mb: MiB of embeddings that are kept in memory for exact search. A collection with more
            is searched by its index.
    """

    def __init__(self, location: Location, exact_mb: int) -> None:
        self._location = location
        self._exact_bytes = exact_mb * 2**20
        self._searching = asyncio.Lock()
        self._following = asyncio.Lock()
        self._snapshot: Snapshot | None = None

    async def collections(self) -> list[Collection]:
        """Every collection, by name.

        Raises:
            Exception: whatever keeps the registry from being read.
        """
        return list((await self._latest()).collections.values())

    async def collection(self, name: str) -> Collection:
        """One of them.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``.
        """
        try:
            return (await self._latest()).collections[name]
        except KeyError:
            raise not_found(name) from None

    async def unreadable(self) -> list[str]:
        """Names of the collections whose newest version does not open, or whose last reading failed.

        Raises:
            Exception: whatever keeps the registry from being read.
        """
        names = []
        for collection in await self.collections():
            try:
                await self._read(collection, FaceTable.check)
            except Refused as refused:
                if refused.code == "COLLECTION_UNREADABLE":
                    names.append(collection.name)
        return names

    async def statistics(self, collection: Collection) -> Statistics:
        """Counts and size of `collection`.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``, as from every method below.
        """

        async def ask(faces: FaceTable) -> Statistics:
            table = await faces.latest()
            keys = (await table.query().select(["subject_key"]).to_arrow())["subject_key"]
            versions = await table.list_versions()
            sizes = cast(dict[str, Any], await table.stats())
            # LanceDB gives the local time, and does not say so.
            changed = versions[-1]["timestamp"].astimezone(UTC)
            return Statistics(len(keys), pc.count_distinct(keys).as_py(), sizes["total_bytes"], changed)

        return await self._read(collection, ask)

    async def count(self, collection: Collection) -> int:
        """FaceTable in `collection`."""

        async def ask(faces: FaceTable) -> int:
            return await (await faces.latest()).count_rows()

        return await self._read(collection, ask)

    async def subjects(self, collection: Collection, after: str, limit: int | None) -> list[Subject]:
        """Subjects in the order of their ids' code points, those that follow `after`; all of them without a `limit`."""
        found = await self._rows(collection, ["subject", "created"])
        if after:
            found = found.filter(pc.greater(found["subject"], after))
        grouped = found.group_by("subject").aggregate([("created", "count"), ("created", "min"), ("created", "max")])
        page = grouped.sort_by("subject").slice(0, limit)
        columns = [page[name].to_pylist() for name in ("subject", "created_count", "created_min", "created_max")]
        return [Subject(*row) for row in zip(*columns, strict=True)]

    async def faces(self, collection: Collection, subject: str) -> list[StoredFace]:
        """The faces of `subject`, first enrolled first.

        Raises:
            Refused: ``SUBJECT_NOT_FOUND`` or ``INVALID_SUBJECT``.
        """
        where = one_of("subject_key", [subject_key(subject)])
        found = (await self._rows(collection, ["id", "subject", "label", "created"], where)).sort_by("created")
        if not found.num_rows:
            raise Refused("SUBJECT_NOT_FOUND", "The collection has no subject with this id")
        columns = [found[name].to_pylist() for name in ("id", "subject", "label", "created")]
        return [StoredFace(*row) for row in zip(*columns, strict=True)]

    async def find(
        self, name: str, contract: str, probes: Sequence[NDArray[np.float32]], count: int
    ) -> tuple[Collection, list[list[Hit]]]:
        """Search the collection called `name`, as `search` does, for probes of the embedding contract `contract`.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``, ``EMBEDDING_CONTRACT_MISMATCH`` or ``INVALID_EMBEDDING``.
        """
        collection = await self.collection(name)
        if contract != collection.kind.contract:
            raise contract_mismatch(collection)
        return collection, await self.search(collection, probes, count)

    async def search(
        self, collection: Collection, probes: Sequence[NDArray[np.float32]], count: int
    ) -> list[list[Hit]]:
        """The `count` most similar subjects of each probe by their most similar face, best first.

        Args:
            probes: float32 (size) each.

        Raises:
            Refused: ``INVALID_EMBEDDING``.
        """
        unit = [normalised(probe, collection.kind.size) for probe in probes]

        async def ask(faces: FaceTable) -> list[list[Hit]]:
            # One search at a time: a replica has one CPU, and the mirror must not change meanwhile.
            async with self._searching:
                mirror = await self._mirror(faces)
                if mirror is not None:
                    return [mirror.best(probe, count) for probe in unit]
            return [await faces.search_index(probe, count) for probe in unit]

        return await self._read(collection, ask)

    async def _mirror(self, faces: FaceTable) -> Mirror | None:
        """The mirror of `faces` at the latest version, or None if they are too many for memory.

        Drops other mirrors to make room, least recently used first.
        """
        mirror = await faces.refresh(self._exact_bytes)
        if mirror is None or self._snapshot is None:
            return mirror
        others = [each for each in self._snapshot.faces.values() if each.mirror and each is not faces]
        room = self._exact_bytes - mirror.bytes - sum(each.mirrored_bytes for each in others)
        for each in sorted(others, key=lambda each: each.searched):
            if room < 0:
                room += each.mirrored_bytes
                each.mirror = None
        return mirror

    async def _rows(self, collection: Collection, columns: list[str], where: str | None = None) -> pa.Table:
        async def ask(faces: FaceTable) -> pa.Table:
            query = (await faces.latest()).query()
            return await (query.where(where) if where else query).select(columns).to_arrow()

        return await self._read(collection, ask)

    async def _read(self, collection: Collection, ask: Callable[[FaceTable], Awaitable[Answer]]) -> Answer:
        """The answer of `ask`, which reads the collection; the table is reopened once if it fails.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``, ``COLLECTION_UNREADABLE`` if the reopened table fails, too, or what
                `ask` raises.
        """
        snapshot = self._snapshot
        if snapshot is None or collection.table not in snapshot.faces:
            snapshot = await self._latest()
        faces = _faces(snapshot, collection)
        try:
            return await ask(faces)
        except UNREADABLE as error:
            if not faces.problem:
                logger.warning("gallery: reading the collection %s anew after %r", collection.name, error)
        before, faces = faces, _faces(await self._without(faces), collection)
        faces.failed, faces.problem = faces.failed or before.failed, faces.problem or before.problem
        try:
            return await ask(faces)
        except UNREADABLE as error:
            if ask is not FaceTable.check:
                faces.failed = ask
            # Once, as it is checked again and again.
            if faces.problem != repr(error):
                faces.problem = repr(error)
                # Without a traceback: on a terminal it would hide the sentence, and the cause is in the error.
                logger.error("gallery: the collection %s cannot be read: %r", collection.name, error)  # noqa: TRY400
            raise unreadable(collection.name) from error

    async def _latest(self) -> Snapshot:
        """The gallery's latest version, reopened if the open one fails."""
        async with self._following:
            if self._snapshot is not None:
                try:
                    self._snapshot = await self._snapshot.latest()
                    return self._snapshot
                except UNREADABLE as error:
                    logger.warning("gallery: opening it anew after %r", error)
            return await self._opened(self._snapshot.faces if self._snapshot else {})

    async def _without(self, failed: FaceTable) -> Snapshot:
        """The gallery reopened, keeping all open tables except `failed`."""
        async with self._following:
            open_faces = self._snapshot.faces if self._snapshot else {}
            return await self._opened({table: faces for table, faces in open_faces.items() if faces is not failed})

    async def _opened(self, known: Mapping[str, FaceTable]) -> Snapshot:
        self._snapshot = await Snapshot.open(self._location, known)
        return self._snapshot


def _faces(snapshot: Snapshot, collection: Collection) -> FaceTable:
    """The faces of `collection`, or of the collection that has its name now."""
    now = snapshot.collections.get(collection.name)
    if now is None:
        raise not_found(collection.name)
    if now.kind != collection.kind:
        raise contract_mismatch(now)
    return snapshot.faces[now.table]
