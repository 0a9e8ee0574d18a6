"""The operations of the reader on single faces, and on subjects with and without faces."""

import asyncio
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gallery import single_faces
from gallery.errors import subject_not_found
from gallery.face_table import FaceTable
from gallery.records import Collection, FaceHit, Hit, StoredFace, subject_key
from gallery.roster import Roster
from gallery.tables import one_of, vectors_of
from gallery.unit_vectors import clipped, normalised

Answer = TypeVar("Answer")


class FaceReads(ABC):
    """Part of `gallery.reader.Reader`."""

    async def find_faces(
        self, name: str, contract: str, probe: NDArray[np.float32], count: int, least: float
    ) -> tuple[Collection, list[FaceHit]]:
        """Return a collection, and its `count` most similar faces, best first. A subject can have several of them.

        Args:
            name, contract, probe, count: see `find`.
            least: minimum cosine similarity.

        Raises:
            RequestError: as `find`.
        """
        collection, [hits] = await self.find(name, contract, [probe], count)
        unit, near = normalised(probe, collection.kind.size), [hit for hit in hits if hit.cosine >= least]

        async def ask(faces: FaceTable) -> list[FaceHit]:
            return await single_faces.best_faces(await faces.latest(), unit, near, count) if near else []

        return collection, [hit for hit in await self._read(collection, ask) if hit.cosine >= least]

    async def closest_faces(
        self, name: str, contract: str, subject: str, probes: Sequence[NDArray[np.float32]]
    ) -> tuple[Collection, list[Hit]]:
        """Return a collection, and for each probe the most similar face of `subject`.

        Reads only the faces of the subject if the collection has an index of subjects, as all but small ones do.

        Args:
            name, contract, probes: as in `find`; at least one probe.

        Raises:
            RequestError: as `find`, ``SUBJECT_NOT_FOUND`` or ``INVALID_SUBJECT``.
        """
        collection, unit = await self._probing(name, contract, probes)
        where = one_of("subject_key", [subject_key(subject)])

        async def ask(faces: FaceTable) -> list[Hit] | None:
            best: list[Hit] | None = None
            query = (await faces.latest()).query().where(where).select(["id", "vector"])
            async for batch in await query.to_batches():
                if not batch.num_rows:
                    continue
                cosines = vectors_of(batch["vector"], collection.kind.size) @ np.stack(unit, axis=1)
                rows = cosines.argmax(axis=0).tolist()
                hits = [
                    Hit(subject, batch["id"][row].as_py(), clipped(float(cosines[row, probe])))
                    for probe, row in enumerate(rows)
                ]
                best = [max(pair, key=lambda hit: hit.cosine) for pair in zip(best or hits, hits, strict=True)]
            return best

        hits = await self._read(collection, ask)
        if hits is None:
            raise subject_not_found()
        return collection, hits

    async def faces_with_ids(self, collection: Collection, face_ids: Sequence[str]) -> list[StoredFace]:
        """Return the faces with these ids that the collection contains, in any order.

        Args:
            face_ids: hex digits each.
        """

        async def ask(faces: FaceTable) -> list[StoredFace]:
            return await single_faces.faces_with_ids(await faces.latest(), face_ids)

        return await self._read(collection, ask)

    async def faces_after(self, collection: Collection, after: str, limit: int) -> list[StoredFace]:
        """Return the `limit` faces whose ids follow `after`, in the order of their ids.

        Args:
            after: 32 hex digits, or empty for the first page.
        """

        async def ask(faces: FaceTable) -> list[StoredFace]:
            return await single_faces.faces_after(await faces.latest(), after, limit)

        return await self._read(collection, ask)

    async def subject_ids(self, name: str, after: str, limit: int, skipped: tuple[str, str]) -> dict[str, bool]:
        """Return the ids of subjects with or without faces, in the order of code points, and whether each has faces.

        Args:
            name: name of the collection.
            after: only greater ids are returned.
            limit: maximum number of subjects.
            skipped: first and last id of subjects with faces that are left out.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``.
        """

        async def ask(faces: FaceTable) -> dict[str, bool]:
            roster, empty = await faces.empty.beside(lambda: self._roster(faces))
            full = await asyncio.to_thread(roster.ids, after, limit, skipped)
            place = bisect_right(empty, after)
            # A listed subject may have faces. If it is none of the first `limit` with faces, it is none of the result.
            found = dict.fromkeys(empty[place : place + limit], False) | dict.fromkeys(full, True)
            return dict(sorted(found.items())[:limit])

        return await self._read(await self.collection(name), ask)

    async def totals(self, name: str, skipped: tuple[str, str]) -> tuple[Collection, int, int]:
        """Return a collection, and the numbers of its faces, and of its subjects with or without faces.

        Args:
            name, skipped: as in `subject_ids`.

        Raises:
            RequestError: as `subject_ids`.
        """
        collection = await self.collection(name)

        async def ask(faces: FaceTable) -> tuple[int, int]:
            roster, empty = await faces.empty.beside(lambda: self._roster(faces))
            subjects = roster.subjects - roster.subjects_between(*skipped)
            return roster.faces, subjects + await asyncio.to_thread(roster.missing, empty)

        return collection, *await self._read(collection, ask)

    async def embeddings(self, collection: Collection, face_ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the embeddings of the faces with these ids that the collection contains: float32 (size) of length 1.

        Args:
            face_ids: hex digits each.
        """

        async def ask(faces: FaceTable) -> dict[str, NDArray[np.float32]]:
            return await single_faces.vectors_of_faces(await faces.latest(), face_ids, collection.kind.size)

        return await self._read(collection, ask)

    @abstractmethod
    async def find(
        self, name: str, contract: str, probes: Sequence[NDArray[np.float32]], count: int
    ) -> tuple[Collection, list[list[Hit]]]: ...

    @abstractmethod
    async def _probing(
        self, name: str, contract: str, probes: Sequence[NDArray[np.float32]]
    ) -> tuple[Collection, list[NDArray[np.float32]]]: ...

    @abstractmethod
    async def _read(self, collection: Collection, ask: Callable[[FaceTable], Awaitable[Answer]]) -> Answer: ...

    @abstractmethod
    async def collection(self, name: str) -> Collection: ...

    @abstractmethod
    async def _roster(self, faces: FaceTable) -> Roster: ...
