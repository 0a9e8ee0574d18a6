"""The location of a gallery: a folder or an object store."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from project.root import ROOT

if TYPE_CHECKING:
    from lancedb import AsyncConnection


METADATA_MB = 128
"""Memory of a connection for the metadata of files, in MiB. LanceDB's default is 1,024."""
MIRRORS = "mirrors"
"""Folder with the files of readers' mirrors, in a gallery's folder."""


@dataclass(frozen=True)
class Location:
    """Where a gallery is stored, and how to connect to it.

    Attributes:
        uri: a folder, or a location in an object store such as ``s3://bucket/gallery``.
        storage_options: LanceDB's options for the object store. They may contain credentials.
        index_mb: memory of a connection for indexes, in MiB.
    """

    uri: str
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    index_mb: int = 512

    @property
    def folder(self) -> Path | None:
        """The folder, or None for an object store."""
        return None if "://" in self.uri else Path(self.uri)

    @property
    def mirrors(self) -> Path:
        """Folder on this node with the files of readers' mirrors, one folder per table."""
        if self.folder is not None:
            return self.folder / MIRRORS
        return ROOT / "data" / MIRRORS / hashlib.sha256(self.uri.encode()).hexdigest()[:32]

    async def connect(self) -> "AsyncConnection":
        """Open a new connection."""
        # LanceDB takes seconds to import, and the ingress, which only passes locations on, does not need it.
        import lancedb

        session = lancedb.Session(self.index_mb * 2**20, METADATA_MB * 2**20)
        return await lancedb.connect_async(self.uri, storage_options=dict(self.storage_options), session=session)
