"""Where a gallery lies, and how to reach it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lancedb import AsyncConnection


@dataclass(frozen=True)
class Location:
    """Where a gallery lies.

    Attributes:
        uri: a folder, or an object store's address such as ``s3://bucket/gallery``.
        storage_options: of the object store, as LanceDB has them; credentials may be among them.
    """

    uri: str
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> Path | None:
        """The folder, if it is one."""
        return None if "://" in self.uri else Path(self.uri)

    async def connect(self) -> "AsyncConnection":
        """A new connection, which sees changes of others only when a table is asked for its latest version."""
        # Not before a gallery is opened: nothing else takes as long to import, and the ingress has no use for it.
        import lancedb

        return await lancedb.connect_async(self.uri, storage_options=dict(self.storage_options))
