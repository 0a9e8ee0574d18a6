"""The operations of the reader on single faces."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gallery.errors import subject_not_found
from gallery.reading import single_faces
from gallery.reading.face_table import FaceTable
from gallery.reading.live_empty_subjects import is_listed
from gallery.reading.live_gallery import LiveGallery
from gallery.records import Collection, Hit, StoredFace, subject_key
from gallery.storage.tables import one_of, vectors_of
from gallery.unit_vectors import clipped, normalised


class FaceReads:
    """The part of `gallery.reading.reader.Reader` that needs nothing but the latest version of the gallery."""

    def __init__(self, gallery: LiveGallery) -> None:
        self._gallery = gallery

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
        collection = await self._gallery.collection(name, contract)
        unit = [normalised(probe, collection.kind.size) for probe in probes]
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

        hits = await self._gallery.read(collection, ask)
        if hits is None:
            raise subject_not_found()
        return collection, hits

    async def faces_with_ids(self, name: str, face_ids: Sequence[str]) -> tuple[Collection, list[StoredFace]]:
        """Return a collection, and those of its faces that have these ids, in any order.

        Args:
            name: name of the collection.
            face_ids: ids in hex digits.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``, which all methods below also raise.
        """
        collection = await self._gallery.collection(name)

        async def ask(faces: FaceTable) -> list[StoredFace]:
            return await single_faces.faces_with_ids(await faces.latest(), face_ids)

        return collection, await self._gallery.read(collection, ask)

    async def faces_after(self, name: str, after: str, limit: int) -> tuple[Collection, list[StoredFace]]:
        """Return a collection, and the `limit` faces whose ids follow `after`, in the order of their ids.

        Args:
            name: name of the collection.
            after: 32 hex digits, or empty for the first page.
        """
        collection = await self._gallery.collection(name)

        async def ask(faces: FaceTable) -> list[StoredFace]:
            return await single_faces.faces_after(await faces.latest(), after, limit)

        return collection, await self._gallery.read(collection, ask)

    async def faces_if_any(self, name: str, subject: str) -> tuple[Collection, list[StoredFace]]:
        """Return a collection, and a subject's faces in the order of enrolment; empty if the subject has none.

        Args:
            name: name of the collection.

        Raises:
            RequestError: ``SUBJECT_NOT_FOUND`` or ``INVALID_SUBJECT``.
        """
        collection = await self._gallery.collection(name)

        async def ask(faces: FaceTable) -> list[StoredFace]:
            async def read() -> list[StoredFace]:
                return await single_faces.faces_of_subject(await faces.latest(), subject)

            found, empty = await faces.empty.beside(read)
            if not found and not is_listed(subject, empty):
                raise subject_not_found()
            return found

        return collection, await self._gallery.read(collection, ask)

    async def embeddings(self, name: str, face_ids: Sequence[str]) -> tuple[Collection, dict[str, NDArray[np.float32]]]:
        """Return a collection, and by id the embeddings of its faces with these ids: float32 (size) of length 1.

        Args:
            name: name of the collection.
            face_ids: ids in hex digits.
        """
        collection = await self._gallery.collection(name)

        async def ask(faces: FaceTable) -> dict[str, NDArray[np.float32]]:
            return await single_faces.vectors_of_faces(await faces.latest(), face_ids, collection.kind.size)

        return collection, await self._gallery.read(collection, ask)

    async def subject_and_faces(
        self, name: str, subject: str, face_ids: Sequence[str]
    ) -> tuple[Collection, dict[str, tuple[str, NDArray[np.float32]]]]:
        """Return a collection, and by id all faces of a subject and the faces with the given ids.

        Args:
            name: name of the collection.
            face_ids: ids in hex digits.

        Returns:
            The subject and the embedding of each face: float32 (size) of length 1. The subject may have no faces.

        Raises:
            RequestError: ``SUBJECT_NOT_FOUND`` or ``INVALID_SUBJECT``.
        """
        collection = await self._gallery.collection(name)

        async def ask(faces: FaceTable) -> dict[str, tuple[str, NDArray[np.float32]]]:
            async def read() -> dict[str, tuple[str, NDArray[np.float32]]]:
                return await single_faces.owned_vectors(await faces.latest(), subject, face_ids, collection.kind.size)

            found, empty = await faces.empty.beside(read)
            if all(owner != subject for owner, _ in found.values()) and not is_listed(subject, empty):
                raise subject_not_found()
            return found

        return collection, await self._gallery.read(collection, ask)
