"""The gallery at one version of its registry, as a reader sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lancedb import AsyncConnection, AsyncTable

from gallery.face_table import FaceTable
from gallery.location import Location
from gallery.records import Collection
from gallery.tables import REGISTRY, collection_of


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable: a newer version is another snapshot, so a request keeps the one that it began with.

    Attributes:
        connection: opens tables.
        registry: the table of collections.
        version: of the registry.
        collections: by name, in the order of the names.
        faces: of each collection, by the name of its table.
    """

    connection: AsyncConnection
    registry: AsyncTable
    version: int
    collections: Mapping[str, Collection]
    faces: Mapping[str, FaceTable]

    @classmethod
    async def open(cls, location: Location, known: Mapping[str, FaceTable]) -> "Snapshot":
        """The gallery at `location`, opened anew.

        Args:
            known: faces by table; those of existing collections stay open, with their mirrors.

        Raises:
            Exception: whatever keeps the registry from being read.
        """
        connection = await location.connect()
        return await cls(connection, await connection.open_table(REGISTRY), -1, {}, known).latest()

    async def latest(self) -> "Snapshot":
        """The latest version; this snapshot itself if nothing has changed.

        Raises:
            Exception: whatever keeps the registry from being read.
        """
        await self.registry.checkout_latest()
        # Asked before the rows: rows that are newer are then read again next time.
        version = await self.registry.version()
        if version == self.version:
            return self
        found = map(collection_of, await self.registry.query().where("NOT dropped").to_list())
        collections = {collection.name: collection for collection in sorted(found, key=lambda each: each.name)}
        faces = {
            each.table: self.faces.get(each.table) or FaceTable(self.connection, each.table, each.kind.size)
            for each in collections.values()
        }
        return Snapshot(self.connection, self.registry, version, MappingProxyType(collections), MappingProxyType(faces))
