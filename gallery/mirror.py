"""A collection's embeddings in memory, for exact search.

Comparing the probe with every embedding misses nothing, unlike an index. Up to a few hundred thousand faces, it is also
faster than LanceDB, which has to read its index.
"""

import numpy as np
import pyarrow as pa
from lancedb import AsyncTable
from numpy.typing import NDArray

from gallery.records import Hit
from gallery.removals import RemovalFeed
from gallery.tables import vectors_of


class Mirror:
    """Keeps the embeddings of one table in memory and up to date.

    Args:
        table: a table handle used by this mirror only, because it checks out other versions.
        size: length of an embedding.
        removals: the log of removed faces; without it, all ids are read after a removal.
    """

    def __init__(self, table: AsyncTable, size: int, removals: RemovalFeed | None = None) -> None:
        self._table = table
        self._size = size
        self._removals = removals
        self._version = -1
        self._clear()

    def _clear(self) -> None:
        self._commit = -1
        self._ids: list[str] = []
        self._subjects: list[str] = []
        self._columns: dict[str, int] = {}
        # One column per face: BLAS multiplies matrices of this layout almost twice as fast.
        self._vectors = np.zeros((self._size, 0), np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def bytes(self) -> int:
        """Memory used by the embeddings."""
        return len(self) * self._size * 4

    async def refresh(self) -> None:
        """Update the mirror to the table's latest version.

        Reads only the rows of new commits, and all ids only if faces have been removed that are not in the log. All
        queries read the same version, so the mirror never mixes two.
        """
        await self._table.checkout_latest()
        version = await self._table.version()
        if version == self._version:
            return
        total = await self._table.count_rows()
        self._reserve(total)
        await self._take_new()
        if len(self) > total and self._removals:
            self._drop(self._columns.keys() & await self._removals.removed(self._table))
        if len(self) > total:
            there = (await self._table.query().select(["id"]).to_arrow())["id"].to_pylist()
            self._drop(self._columns.keys() - set(there))
        if len(self) != total:
            # The table was restored to an older version: reload everything.
            self._clear()
            await self._take_new()
        self._version = version

    def best(self, probe: NDArray[np.float32], count: int) -> list[Hit]:
        """Return the `count` most similar subjects by their most similar face, best first.

        Args:
            probe: float32 (size) of length 1.
            count: at least 1.
        """
        cosines = probe @ self._vectors[:, : len(self)]
        # Most subjects have few faces. Widen the selection until it contains enough subjects.
        selected = min(4 * count, len(cosines))
        while True:
            order = np.argpartition(-cosines, selected - 1)[:selected] if selected else np.zeros(0, np.int64)
            best: dict[str, int] = {}
            for column in order[np.argsort(-cosines[order], kind="stable")].tolist():
                best.setdefault(self._subjects[column], column)
            if len(best) >= count or selected == len(cosines):
                hits = list(best.items())[:count]
                return [Hit(subject, self._ids[column], clipped(float(cosines[column]))) for subject, column in hits]
            selected = min(4 * selected, len(cosines))

    async def _take_new(self) -> None:
        query = self._table.query().where(f"commit > {self._commit}").select(["id", "subject", "commit", "vector"])
        newest = self._commit
        async for batch in await query.to_batches():
            if batch.num_rows:
                self._take(batch)
                newest = max(newest, int(np.max(batch["commit"].to_numpy())))
        # Update this only after the last batch: batches arrive in any order, and a cancelled search may stop between
        # two.
        self._commit = newest

    def _take(self, batch: pa.RecordBatch) -> None:
        ids, subjects = batch["id"].to_pylist(), batch["subject"].to_pylist()
        vectors = vectors_of(batch["vector"], self._size)
        new = []
        for row, (face_id, subject) in enumerate(zip(ids, subjects, strict=True)):
            known = self._columns.get(face_id)
            if known is None:
                self._columns[face_id] = len(self._ids)
                self._ids.append(face_id)
                self._subjects.append(subject)
                new.append(row)
            else:
                self._vectors[:, known] = vectors[row]
                self._subjects[known] = subject
        self._reserve(len(self._ids))
        self._vectors[:, len(self._ids) - len(new) : len(self._ids)] = vectors[new].T

    def _reserve(self, faces: int) -> None:
        there = self._vectors.shape[1]
        if faces > there:
            # Grow by a quarter, so that adding faces one at a time copies each embedding only a few times.
            larger = np.zeros((self._size, max(faces, there * 5 // 4)), np.float32)
            larger[:, :there] = self._vectors
            self._vectors = larger

    def _drop(self, gone: set[str]) -> None:
        """Drop the faces that are `gone`, moving the last face into each gap."""
        for face_id in gone:
            column, last = self._columns.pop(face_id), len(self._ids) - 1
            if column != last:
                self._ids[column], self._subjects[column] = self._ids[last], self._subjects[last]
                self._vectors[:, column] = self._vectors[:, last]
                self._columns[self._ids[column]] = column
            self._ids.pop()
            self._subjects.pop()
            # Do not keep deleted embeddings in memory.
            self._vectors[:, last] = 0


def clipped(cosine: float) -> float:
    """Clip `cosine` to between -1 and 1, which rounding can exceed."""
    return min(max(cosine, -1.0), 1.0)
