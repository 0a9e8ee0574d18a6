"""The log of faces removed from a collection, so that readers need not compare all ids to learn which ones are gone.

The writer logs faces in a table of their own before it removes them or moves them to another subject. If it is killed
between the two commits, a logged face is still in the collection. The log may also be incomplete: older galleries and
backups have no log, a power loss can damage it, and a clean-up erases it. A reader therefore looks up the logged faces,
compares its number of faces with the table's, and reads the whole table if they differ.
"""

import logging

import pyarrow as pa
import pyarrow.compute as pc
from lancedb import AsyncConnection, AsyncTable

from gallery.errors import is_full
from gallery.storage.side_tables import beside, drop_beside
from gallery.storage.tables import UNREADABLE, known_ids, open_if_created

logger = logging.getLogger("ray.serve")

MANY = 5_000
"""Number of faces above which reading the whole table is faster than looking them up."""
REMOVALS_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        # From the same sequence as the commits in the table of faces.
        pa.field("commit", pa.int64(), nullable=False),
    ]
)


class RemovalFeed:
    """Reads the log of one table of faces from where it read last.

    Args:
        connection: opens the log.
        table: name of the table of faces.
        since: newest commit whose rows the reader has; -1 for none.

    Attributes:
        newest: the newest commit seen.
    """

    def __init__(self, connection: AsyncConnection, table: str, since: int = -1) -> None:
        self._connection = connection
        self._log = beside(table, "removed")
        self._settled = self.newest = since

    async def read(self) -> pa.Table:
        """Return the columns ``id`` and ``subject`` of faces that may have been removed since the previous call.

        Call it after checking out the version of the table of faces in which they are looked up.
        """
        try:
            log = await self._connection.open_table(self._log)
            found = await log.query().where(f"commit >= {self._settled}").to_arrow()
        except UNREADABLE:
            return REMOVALS_SCHEMA.empty_table()
        # The version that was checked out may lack removals that were logged in the meantime. It certainly contains
        # those before the newest commit that the previous call saw.
        self._settled, self.newest = self.newest, max(self.newest, pc.max(found["commit"]).as_py() or -1)
        return found.filter(pc.not_equal(found["id"], ""))

    async def removed(self, table: AsyncTable) -> set[str]:
        """Return the ids from `read` that `table`, as checked out, lacks; an empty set for more than `MANY` ids."""
        ids = set((await self.read())["id"].to_pylist())
        return ids - await known_ids(table, list(ids)) if len(ids) <= MANY else set()


async def log_removals(connection: AsyncConnection, table: str, faces: pa.Table, commit: int) -> None:
    """Log faces that are about to be removed.

    Args:
        table: name of the table of faces.
        faces: rows of at least the columns ``id`` and ``subject``.
        commit: number of the commit, as in the table of faces.

    Raises:
        Exception: the disk is full.
    """
    entries = pa.table([faces["id"], faces["subject"], [commit] * len(faces)], schema=REMOVALS_SCHEMA)
    try:
        log = await connection.create_table(beside(table, "removed"), schema=REMOVALS_SCHEMA, exist_ok=True)
        await log.add(entries)
    except UNREADABLE as error:
        if is_full(error):
            raise
        logger.warning("gallery: starting a new log of removals of %s after %r", table, error)
        await drop_beside(connection, table, "removed")


async def newest_removal(connection: AsyncConnection, table: str) -> int | None:
    """Return the number of the newest commit in a table's log; None without a log."""
    try:
        if (log := await open_if_created(connection, beside(table, "removed"))) is None:
            return None
        newest: int | None = pc.max((await log.query().select(["commit"]).to_arrow())["commit"]).as_py()
    except UNREADABLE:
        return None
    return newest


async def erase_log(connection: AsyncConnection, table: str) -> None:
    """Erase the faces in a table's log, and keep the number of the newest commit."""
    newest = await newest_removal(connection, table)
    await drop_beside(connection, table, "removed")
    if newest is not None:
        await log_removals(connection, table, pa.table({"id": [""], "subject": [""]}), newest)
