"""A copy of a collection's embeddings on this node, for exact search (`gallery.search.mirror_search`)."""

import asyncio
import binascii
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lancedb import AsyncConnection, AsyncTable
from numpy.typing import NDArray

from gallery.search import mirror_folder
from gallery.search.mapped_column import MirrorFileError
from gallery.search.mirror_files import KEY, MirrorFiles, NewRows
from gallery.storage.hex_column import decoded_hex
from gallery.storage.latest_table import LatestTable
from gallery.storage.memory import return_memory
from gallery.storage.removals import RemovalFeed
from gallery.storage.tables import vectors_of

logger = logging.getLogger("ray.serve")

MANY_FACES = 4096
"""After reading this many new faces, the memory that was used for reading is returned to the system."""


class Mirror:
    """Keeps a copy of the embeddings of one table up to date.

    Args:
        latest: the table, used by this mirror only, because each use may check out another version.
        size: length of an embedding.
        folder: where its files (`gallery.search.mirror_files`) are stored. If the folder is not writable, they are
            kept in memory.
        removals: the log of removed faces; without it, the keys of all rows are read after a removal.

    Attributes:
        files: the embeddings; None before the first refresh. Another process may change them at any time.
    """

    def __init__(self, latest: LatestTable, size: int, folder: Path, removals: RemovalFeed | None = None) -> None:
        self._latest = latest
        self._removals = removals
        self._size = size
        self._folder = folder
        self._refreshing = asyncio.Lock()
        self.files: MirrorFiles | None = None

    @property
    def faces(self) -> int:
        """Number of faces."""
        return len(self.files) if self.files else 0

    @property
    def bytes(self) -> int:
        """Memory used, in bytes. Other mirrors of the table on this node share it."""
        return self.files.bytes if self.files else 0

    def remove(self) -> None:
        """Delete the files."""
        mirror_folder.remove(self._folder)

    async def refresh(self) -> None:
        """Update the mirror to the table's latest version.

        Reads the rows of new commits. Reads the keys of all rows only if the log lacks faces that have been removed.
        All queries read the same version, so the mirror never mixes two versions.
        """
        async with self._refreshing:
            version = (await self._latest.latest()).number
            files = self.files
            if files and files.version == version and not (files.moves % 2 or files.deleted):
                return
            if files is None or files.shared:
                try:
                    async with mirror_folder.locked(self._folder):
                        if files is None or files.moves % 2 or files.deleted:
                            files = await asyncio.to_thread(MirrorFiles.at, self._folder, self._size)
                        await self._follow(files)
                    if files.wasteful:
                        self.remove()
                    return
                except MirrorFileError as error:
                    logger.warning("gallery: keeping embeddings in private memory, because of %s", error)
                    self.remove()
                    files = MirrorFiles.in_memory(self._size)
            await self._follow(files)

    async def _follow(self, files: MirrorFiles) -> None:
        """Update `files` to the table's latest version, and use them."""
        newest = await self._latest.latest()
        table, version = newest.table, newest.number
        # Files found in the folder may be those of an earlier version, or of a gallery that was here before.
        known, faces = files is self.files or files.version == -1, len(files)
        if not known or (files.version != version and not await self._follow_commits(files, table, version)):
            await self._follow_keys(files, table, version)
        if files is not self.files or len(files) > faces + MANY_FACES:
            return_memory()
        self.files = files

    async def _follow_commits(self, files: MirrorFiles, table: AsyncTable, version: int) -> bool:
        """Add the rows of new commits, and remove logged faces. Return whether that is all that has changed."""
        total = await table.count_rows()
        added = await self._add(files, table, f"commit > {files.commit}")
        gone = np.zeros(0, np.int64)
        if len(files) + files.added > total:
            logged = "".join(await self._removals.removed(table)) if self._removals else ""
            ids = np.concatenate([added["id"], np.frombuffer(binascii.unhexlify(logged), KEY["id"])])
            gone = await asyncio.to_thread(lambda: np.flatnonzero(_among(files.keys()["id"], ids)))
        if len(files) + files.added - len(gone) != total:
            files.discard()
            return False
        await asyncio.to_thread(files.publish, version, int(added["commit"].max(initial=files.commit)), gone)
        return True

    async def _follow_keys(self, files: MirrorFiles, table: AsyncTable, version: int) -> None:
        """Compare the keys of all rows, remove those that the table does not contain, and add missing ones."""
        found: pa.Table = await table.query().select(["id", "commit"]).to_arrow()
        wanted = await asyncio.to_thread(_keys, found)
        del found
        there = files.keys()
        if wanted.tobytes() == there.tobytes():
            files.publish(version, files.commit, np.zeros(0, np.int64))
            return
        gone = await asyncio.to_thread(lambda: np.flatnonzero(~_among(there, wanted)))
        if len(missing := wanted[~_among(wanted, there)]):
            await self._add(files, table, f"commit >= {missing['commit'].min()}", missing)
        await asyncio.to_thread(files.publish, version, int(wanted["commit"].max(initial=-1)), gone)

    async def _add(
        self, files: MirrorFiles, table: AsyncTable, where: str, missing: NDArray[np.void] | None = None
    ) -> NDArray[np.void]:
        """Add the rows that match a filter and, if given, have a key in `missing`. Return the keys of added rows."""
        added = [np.zeros(0, KEY)]
        try:
            query = table.query().where(where).select(["id", "commit", "subject", "vector"])
            async for batch in await query.to_batches():
                rows = await asyncio.to_thread(self._rows, batch, missing)
                if len(rows.keys):
                    await asyncio.to_thread(files.add, rows)
                    added.append(rows.keys)
        except BaseException:
            files.discard()
            raise
        return np.concatenate(added)

    def _rows(self, batch: pa.RecordBatch, missing: NDArray[np.void] | None) -> NewRows:
        keys = _keys(batch)
        if missing is not None:
            wanted = _among(keys, missing)
            keys, batch = keys[wanted], batch.filter(pa.array(wanted))
        return NewRows(keys, batch["subject"].to_pylist(), vectors_of(batch["vector"], self._size))


async def erase_from_mirror(connection: AsyncConnection, table: str, mirrors: Path) -> None:
    """Erase removed faces from the files of a table's mirror on this node, if there is one.

    Args:
        mirrors: folder with the files of all mirrors.
    """
    if (mirrors / table).is_dir():
        opened = await connection.open_table(table)
        size = (await opened.schema()).field("vector").type.list_size
        await Mirror(LatestTable(connection, table), size, mirrors / table).refresh()


def _keys(rows: pa.Table | pa.RecordBatch) -> NDArray[np.void]:
    """Return the keys of rows that have the columns id, of 32 hex digits, and commit."""
    keys = np.zeros(rows.num_rows, KEY)
    keys["id"] = np.frombuffer(decoded_hex(rows["id"]), KEY["id"])
    keys["commit"] = rows["commit"].to_numpy()
    return keys


def _among(keys: NDArray[np.void], others: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return for each of `keys` whether it is one of `others`."""
    left, right = (
        pa.FixedSizeBinaryArray.from_buffers(pa.binary(each.itemsize), len(each), [None, pa.py_buffer(each.tobytes())])
        for each in (keys, others)
    )
    return np.asarray(pc.is_in(left, value_set=right).to_numpy(zero_copy_only=False), np.bool_)
