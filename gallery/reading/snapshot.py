"""The gallery at one version of its registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lancedb import AsyncConnection

from gallery.location import Location
from gallery.reading.face_table import FaceTable
from gallery.records import Collection
from gallery.storage.latest_table import LatestTable
from gallery.storage.tables import REGISTRY, collection_of


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A gallery's collections at one version. Immutable, so a request can keep the snapshot it started with.

    Attributes:
        connection: opens tables.
        registry: the table of collections.
        version: version of the registry.
        collections: collections by name, sorted by name.
        faces: tables of faces, by the name of the table.
    """

    connection: AsyncConnection
    registry: LatestTable
    version: int
    collections: Mapping[str, Collection]
    faces: Mapping[str, FaceTable]

    @classmethod
    async def open(cls, location: Location, known: Mapping[str, FaceTable]) -> "Snapshot":
        """Open the gallery at `location`.

        Args:
            known: tables that stay open, with their mirrors, if their collections still exist.

        Raises:
            Exception: the registry cannot be read.
        """
        connection = await location.connect()
        return await cls(connection, LatestTable(connection, REGISTRY), -1, {}, known).latest()

    async def latest(self) -> "Snapshot":
        """Return the latest version, which is this snapshot itself if nothing has changed.

        Raises:
            Exception: the registry cannot be read.
        """
        # The query may already return rows newer than `version`. They are then read again next time.
        newest = await self.registry.latest()
        if newest.number == self.version:
            return self
        found = map(collection_of, await newest.table.query().where("NOT dropped").to_list())
        collections = {collection.name: collection for collection in sorted(found, key=lambda each: each.name)}
        faces = {
            each.table: self.faces.get(each.table) or FaceTable(self.connection, each.table, each.kind.size)
            for each in collections.values()
        }
        return Snapshot(
            self.connection, self.registry, newest.number, MappingProxyType(collections), MappingProxyType(faces)
        )
