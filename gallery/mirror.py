"""A collection's embeddings in memory, for exact search.

A product of the probe with every embedding finds what an index may miss, and up to some hundred
thousand faces it takes less time than LanceDB needs to read an index.
"""

import numpy as np
import pyarrow as pa
from lancedb import AsyncTable
from numpy.typing import NDArray

from gallery.records import Hit
from gallery.tables import vectors_of


class Mirror:
    """Follows one table of faces, which it never changes.

    Args:
        table: opened for this mirror alone, which moves it from version to version.
        size: length of an embedding.
    """

    def __init__(self, table: AsyncTable, size: int) -> None:
        self._table = table
        self._size = size
        self._version = -1
        self._clear()

    def _clear(self) -> None:
        self._commit = -1
        self._ids: list[str] = []
        self._subjects: list[str] = []
        self._places: dict[str, int] = {}
        # A column a face: BLAS multiplies this way round in little more than half the time.
        self._vectors = np.zeros((self._size, 0), np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def bytes(self) -> int:
        """Of its embeddings."""
        return len(self) * self._size * 4

    async def refresh(self) -> None:
        """Bring the mirror to the table's latest version.

        Asks for rows of commits that are new, and for all ids only when something must have been
        removed. All questions are asked of one version, so that the mirror is never between two.
        """
        await self._table.checkout_latest()
        version = await self._table.version()
        if version == self._version:
            return
        total = await self._table.count_rows()
        self._reserve(total)
        await self._take_new()
        if len(self) > total:
            self._keep(set((await self._table.query().select(["id"]).to_arrow())["id"].to_pylist()))
        if len(self) != total:
            # Only after somebody set the table back: begin again.
            self._clear()
            await self._take_new()
        self._version = version

    def best(self, probe: NDArray[np.float32], count: int) -> list[Hit]:
        """The `count` most similar subjects by their most similar face, best first.

        Args:
            probe: float32 (size) of length 1.
            count: at least 1.
        """
        cosines = probe @ self._vectors[:, : len(self)]
        # A subject has a few faces as a rule: look at more until enough subjects are among the best.
        looked_at = min(4 * count, len(cosines))
        while True:
            order = np.argpartition(-cosines, looked_at - 1)[:looked_at] if looked_at else np.zeros(0, np.int64)
            best: dict[str, int] = {}
            for place in order[np.argsort(-cosines[order], kind="stable")].tolist():
                best.setdefault(self._subjects[place], place)
            if len(best) >= count or looked_at == len(cosines):
                hits = list(best.items())[:count]
                return [Hit(subject, self._ids[place], clipped(float(cosines[place]))) for subject, place in hits]
            looked_at = min(4 * looked_at, len(cosines))

    async def _take_new(self) -> None:
        query = self._table.query().where(f"commit > {self._commit}").select(["id", "subject", "commit", "vector"])
        newest = self._commit
        async for batch in await query.to_batches():
            if batch.num_rows:
                self._take(batch)
                newest = max(newest, int(np.max(batch["commit"].to_numpy())))
        # Not before the last one: they come in any order, and a search that is cancelled ends this in between.
        self._commit = newest

    def _take(self, batch: pa.RecordBatch) -> None:
        ids, subjects = batch["id"].to_pylist(), batch["subject"].to_pylist()
        vectors = vectors_of(batch["vector"], self._size)
        new = []
        for row, (face_id, subject) in enumerate(zip(ids, subjects, strict=True)):
            known = self._places.get(face_id)
            if known is None:
                self._places[face_id] = len(self._ids)
                self._ids.append(face_id)
                self._subjects.append(subject)
                new.append(row)
            else:
                self._vectors[:, known] = vectors[row]
        self._reserve(len(self._ids))
        self._vectors[:, len(self._ids) - len(new) : len(self._ids)] = vectors[new].T

    def _reserve(self, rows: int) -> None:
        there = self._vectors.shape[1]
        if rows > there:
            # A quarter more than there were: growing by one face at a time copies each embedding a few times only.
            larger = np.zeros((self._size, max(rows, there * 5 // 4)), np.float32)
            larger[:, :there] = self._vectors
            self._vectors = larger

    def _keep(self, wanted: set[str]) -> None:
        """Drop faces that are not `wanted`; the last one takes the place of each."""
        for face_id in [face_id for face_id in self._ids if face_id not in wanted]:
            place, last = self._places.pop(face_id), len(self._ids) - 1
            if place != last:
                self._ids[place], self._subjects[place] = self._ids[last], self._subjects[last]
                self._vectors[:, place] = self._vectors[:, last]
                self._places[self._ids[place]] = place
            self._ids.pop()
            self._subjects.pop()
            # Nothing of a deleted face stays in memory.
            self._vectors[:, last] = 0


def clipped(cosine: float) -> float:
    """`cosine` within -1 and 1: rounding can carry that of a vector with itself past 1."""
    return min(max(cosine, -1.0), 1.0)
