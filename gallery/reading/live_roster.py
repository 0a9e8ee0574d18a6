"""A roster that follows the changes of a collection."""

import asyncio
import time
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from lancedb import AsyncConnection, AsyncTable

from gallery.reading.roster import Roster, summary
from gallery.records import Statistics, subject_key
from gallery.storage.latest_table import LatestTable, TableVersion
from gallery.storage.memory import return_memory
from gallery.storage.removals import MANY, RemovalFeed
from gallery.storage.tables import one_of


class LiveRoster:
    """Keeps the roster of one table, and its statistics, at the table's latest version.

    The first request reads the subject of every face. Later requests read the rows of new commits, the log of removed
    faces, and the faces of the subjects in these rows and this log.

    Args:
        connection: opens the table on first use.
        table: name of the table.

    Attributes:
        asked: time of the last request, by the monotonic clock.
    """

    def __init__(self, connection: AsyncConnection, table: str) -> None:
        self.asked = 0.0
        self._connection = connection
        self._name = table
        self._lock = asyncio.Lock()
        self._latest = LatestTable(connection, table)
        self._roster: Roster | None = None
        self._statistics: Statistics | None = None
        self._version = self._commit = -1
        self._removals = RemovalFeed(connection, table)

    @property
    def bytes(self) -> int:
        """Memory used by the roster, in bytes."""
        return self._roster.bytes if self._roster else 0

    def forget(self) -> None:
        """Free the memory. The next request that needs the roster reads the subject of every face again."""
        self._roster = None

    async def latest(self) -> Roster:
        """Return the roster of the table's latest version."""
        async with self._lock:
            newest = await self._opened()
            if self._roster is not None and newest.number == self._version:
                return self._roster
            return (await self._refreshed(newest))[0]

    async def statistics(self) -> Statistics:
        """Return the statistics of the table's latest version. If it has not changed, this needs no roster."""
        async with self._lock:
            newest = await self._opened()
            if self._statistics is not None and newest.number == self._version:
                return self._statistics
            return (await self._refreshed(newest))[1]

    async def _opened(self) -> TableVersion:
        self.asked = time.monotonic()
        return await self._latest.latest()

    async def _refreshed(self, newest: TableVersion) -> tuple[Roster, Statistics]:
        table = newest.table
        roster, commit = await self._updated(table) or await self._read(table)
        size = (await table.stats())["total_bytes"]  # type: ignore[index]
        # Commits are numbered by the time in nanoseconds.
        changed = datetime.fromtimestamp(max(commit, self._removals.newest, 0) / 1e9, UTC)
        statistics = Statistics(roster.faces, roster.subjects, size, changed)
        # Assigned together, because a caller that gives up may cancel any of the steps above.
        self._roster, self._statistics, self._version, self._commit = roster, statistics, newest.number, commit
        return roster, statistics

    async def _read(self, table: AsyncTable) -> tuple[Roster, int]:
        faces = await table.query().select(["subject", "created", "commit"]).to_arrow()
        commit = _newest(faces, -1)
        self._removals = RemovalFeed(self._connection, self._name, commit)
        # Reads the time of the newest removal.
        await self._removals.read()
        return await asyncio.to_thread(_grouped, faces), commit

    async def _updated(self, table: AsyncTable) -> tuple[Roster, int] | None:
        """Return the updated roster and the newest commit, or None if reading all faces is faster or necessary."""
        roster, total = self._roster, await table.count_rows()
        if roster is None or total > 2 * roster.faces + MANY:
            return None
        new = table.query().where(f"commit > {self._commit}").select(["subject", "created", "commit"])
        faces = await new.to_arrow()
        added = await asyncio.to_thread(summary, faces)
        known = (await asyncio.to_thread(roster.known, added))["subject"]
        if len(known) > MANY:
            return None
        roster = await _recounted(table, await asyncio.to_thread(roster.changed, added), known)
        if roster.faces > total:
            gone = (await self._removals.read())["subject"].unique()
            roster = await _recounted(table, roster, gone)
        return (roster, _newest(faces, self._commit)) if roster.faces == total else None


async def _recounted(table: AsyncTable, roster: Roster, subjects: pa.Array | pa.ChunkedArray) -> Roster:
    """Return `roster` with `subjects` counted again in `table`; unchanged if there are none or too many."""
    if not 0 < len(subjects) <= MANY:
        return roster
    where = one_of("subject_key", [subject_key(subject) for subject in subjects.to_pylist()])
    found = summary(await table.query().where(where).select(["subject", "created"]).to_arrow())
    return await asyncio.to_thread(roster.changed, pa.table({"subject": subjects}).join(found, "subject"))


def _grouped(faces: pa.Table) -> Roster:
    roster = Roster.of(summary(faces))
    # Grouping takes several times the memory of the result.
    return_memory()
    return roster


def _newest(faces: pa.Table, before: int) -> int:
    return max(pc.max(faces["commit"]).as_py() or before, before)
