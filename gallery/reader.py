"""Searching and listing the gallery."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lancedb import AsyncConnection, AsyncTable
from numpy.typing import NDArray

from gallery.mirror import Mirror, clipped
from gallery.place import Place
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
)
from gallery.tables import REGISTRY, collection_of, one_of
from imaging.refused import Refused

NPROBES = 64
"""Partitions of the index that a search looks into, where a collection is too large for exact search."""
REFINE = 10
"""How many times the wanted faces the index gives, to be compared with their full embeddings."""


class Reader:
    """Reads the latest version of everything, so whatever was acknowledged is seen.

    Args:
        place: of the gallery, which need not be there yet.
        exact_mb: MiB of embeddings that are kept in memory for exact search. A collection with more
            is searched by its index.
    """

    def __init__(self, place: Place, exact_mb: int) -> None:
        self._place = place
        self._exact_bytes = exact_mb * 2**20
        self._lock = asyncio.Lock()
        self._forget()

    def _forget(self) -> None:
        self._connection: AsyncConnection | None = None
        self._registry: AsyncTable | None = None
        self._registry_version = -1
        self._collections: dict[str, Collection] = {}
        self._tables: dict[str, AsyncTable] = {}
        self._mirrors: OrderedDict[str, Mirror] = OrderedDict()

    async def again(self) -> None:
        """Begin anew with what lies there: for whoever was told of a file that is not there any more.

        A clean-up removes old versions, and a restored gallery is another one.
        """
        async with self._lock:
            self._forget()

    async def collections(self) -> list[Collection]:
        """Every collection, by name."""
        if self._registry is None:
            self._registry = await self._open(REGISTRY)
        await self._registry.checkout_latest()
        version = await self._registry.version()
        if version != self._registry_version:
            found = await self._registry.query().where("NOT dropped").to_list()
            known = sorted(map(collection_of, found), key=lambda collection: collection.name)
            self._collections = {collection.name: collection for collection in known}
            self._registry_version = version
            tables = {collection.table for collection in known}
            for cached in (self._tables, self._mirrors):
                for name in set(cached) - tables:
                    del cached[name]
        return list(self._collections.values())

    async def collection(self, name: str) -> Collection:
        """One of them.

        Raises:
            Refused: ``COLLECTION_NOT_FOUND``.
        """
        await self.collections()
        try:
            return self._collections[name]
        except KeyError:
            raise not_found(name) from None

    async def check(self) -> None:
        """Open every table at its latest version.

        Raises:
            Exception: whatever keeps one from being opened.
        """
        for collection in await self.collections():
            await self._latest(collection)

    async def statistics(self, collection: Collection) -> Statistics:
        """Counts and size of `collection`."""
        table = await self._latest(collection)
        keys = (await table.query().select(["subject_key"]).to_arrow())["subject_key"]
        versions = await table.list_versions()
        sizes = cast(dict[str, Any], await table.stats())
        # LanceDB gives the local time, and does not say so.
        changed = versions[-1]["timestamp"].astimezone(UTC)
        return Statistics(len(keys), pc.count_distinct(keys).as_py(), sizes["total_bytes"], changed)

    async def count(self, collection: Collection) -> int:
        """Faces in `collection`."""
        return await (await self._latest(collection)).count_rows()

    async def subjects(self, collection: Collection, after: str, limit: int | None) -> list[Subject]:
        """Subjects in the order of their ids' code points, those that follow `after`; all of them without a `limit`."""
        table = await self._latest(collection)
        found = await table.query().select(["subject", "created"]).to_arrow()
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
        table = await self._latest(collection)
        query = table.query().where(one_of("subject_key", [subject_key(subject)]))
        found = (await query.select(["id", "subject", "label", "created"]).to_arrow()).sort_by("created")
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
        size = collection.kind.size
        unit = [normalised(probe, size) for probe in probes]
        # One search at a time: a replica has one CPU, and nobody may change the mirror meanwhile.
        async with self._lock:
            mirror = await self._mirror(collection)
            if mirror is not None:
                return [mirror.best(probe, count) for probe in unit]
        table = await self._latest(collection)
        return [await _search_index(table, probe, count) for probe in unit]

    async def _mirror(self, collection: Collection) -> Mirror | None:
        """The collection's mirror at the latest version, or None if it is too large for one.

        Others make room for it, the longest unused one first.
        """
        name, size = collection.table, collection.kind.size
        mirror = self._mirrors.get(name)
        if mirror is None:
            if await (await self._latest(collection)).count_rows() * size * 4 > self._exact_bytes:
                return None
            mirror = self._mirrors[name] = Mirror(await self._open(name), size)
        await mirror.refresh()
        if mirror.bytes > self._exact_bytes:
            self._mirrors.pop(name, None)
            return None
        # Not if it was dropped meanwhile.
        if name in self._mirrors:
            self._mirrors.move_to_end(name)
        while len(self._mirrors) > 1 and sum(each.bytes for each in self._mirrors.values()) > self._exact_bytes:
            self._mirrors.popitem(last=False)
        return mirror

    async def _latest(self, collection: Collection) -> AsyncTable:
        table = self._tables.get(collection.table)
        if table is None:
            table = self._tables[collection.table] = await self._open(collection.table)
        await table.checkout_latest()
        return table

    async def _open(self, table: str) -> AsyncTable:
        if self._connection is None:
            self._connection = await self._place.connect()
        return await self._connection.open_table(table)


async def _search_index(table: AsyncTable, probe: NDArray[np.float32], count: int) -> list[Hit]:
    faces, best = 4 * count, dict[str, Hit]()
    while True:
        query = table.query().nearest_to(probe).distance_type("cosine").nprobes(NPROBES).refine_factor(REFINE)
        found: pa.Table = await query.select(["id", "subject", "_distance"]).limit(faces).to_arrow()
        for row in found.to_pylist():
            best.setdefault(row["subject"], Hit(row["subject"], row["id"], clipped(1 - row["_distance"])))
        if len(best) >= count or found.num_rows < faces:
            return list(best.values())[:count]
        faces *= 4
