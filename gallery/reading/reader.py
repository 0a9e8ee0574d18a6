"""Searching and listing the gallery."""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gallery.errors import face_not_found, subject_not_found
from gallery.location import Location
from gallery.metadata_format import decoded
from gallery.reading import single_faces
from gallery.reading.exact_search import ExactSearch
from gallery.reading.face_reads import FaceReads
from gallery.reading.face_table import FaceTable
from gallery.reading.index_health import tend_indexes
from gallery.reading.live_gallery import LiveGallery
from gallery.reading.roster import Roster
from gallery.records import (
    Collection,
    FaceHit,
    Hit,
    IndexHealth,
    KnownStatus,
    Metadata,
    NewFace,
    Statistics,
    StoredFace,
    Subject,
    subject_key,
)
from gallery.storage.metadata import COLUMN, described, texts_of_subjects
from gallery.storage.stored_faces import StoredFaces
from gallery.unit_vectors import normalised
from project.request_error import RequestError

ROSTER_BYTES = 256 * 2**20
"""Maximum memory for the rosters of several collections. The roster used last is kept even if it is larger."""

FIRST_SUBJECTS = 20
"""Number of subjects that a search for faces requests first. More would take longer, and few probes match that many."""


class Reader(FaceReads):
    """Reads the latest version of the gallery, so it sees every acknowledged change (`gallery.reading.live_gallery`).

    Args:
        location: where the gallery is stored. It need not exist yet.
        exact_mb: memory for exact search, in MiB. A larger collection is searched with its index.
        threads: threads of an exact search.
    """

    def __init__(self, location: Location, exact_mb: int, threads: int = 1) -> None:
        self._exact = ExactSearch(location, exact_mb, threads)
        super().__init__(LiveGallery(location, self._exact.remove_dropped))

    async def collections(self) -> list[Collection]:
        """Return all collections, sorted by name.

        Raises:
            UnopenedError: the registry cannot be read.
        """
        return list((await self._gallery.latest()).collections.values())

    async def collection(self, name: str) -> Collection:
        """Return the collection called `name`.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``.
        """
        return await self._gallery.collection(name)

    async def unreadable(self) -> list[str]:
        """Return the names of collections whose newest version does not open, or that failed and still cannot be read.

        Raises:
            UnopenedError: the registry cannot be read.
        """

        async def check(faces: FaceTable) -> None:
            await faces.check()
            await self._exact.follow(faces, self._gallery.tables)

        names = []
        for collection in await self.collections():
            try:
                await self._gallery.read(collection, check)
            except RequestError as refused:
                if refused.code == "COLLECTION_UNREADABLE":
                    names.append(collection.name)
        return names

    async def index_health(self) -> list[IndexHealth]:
        """Measure the indexes of large collections (`gallery.reading.index_health`), and return their state."""
        return await tend_indexes(await self._gallery.latest(), self._exact)

    async def statistics(self, name: str) -> tuple[Collection, Statistics]:
        """Return the collection called `name`, and its size.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``, which all methods below also raise.
        """
        collection = await self.collection(name)

        async def ask(faces: FaceTable) -> Statistics:
            found = await faces.roster.statistics()
            self._forget_rosters(faces)
            return replace(found, changed=max(found.changed, collection.created))

        return collection, await self._gallery.read(collection, ask)

    async def subjects(self, name: str, after: str, limit: int | None) -> list[Subject]:
        """Return the subjects with ids greater than `after`, in the order of code points.

        Args:
            name: name of the collection.
            limit: maximum number of subjects; None for all.
        """

        async def ask(faces: FaceTable) -> list[Subject]:
            return await asyncio.to_thread((await self._roster(faces)).page, after, limit)

        return await self._gallery.read(await self.collection(name), ask)

    async def faces(self, collection: Collection, subject: str) -> list[StoredFace]:
        """Return the faces of `subject` in the order of their enrolment.

        Raises:
            RequestError: ``SUBJECT_NOT_FOUND`` or ``INVALID_SUBJECT``.
        """

        async def ask(faces: FaceTable) -> list[StoredFace]:
            if not (found := await single_faces.faces_of_subject(await faces.latest(), subject)):
                raise subject_not_found()
            return found

        return await self._gallery.read(collection, ask)

    async def enrolment_statuses(
        self, collection: Collection, faces: Sequence[NewFace], again: bool
    ) -> list[KnownStatus | None]:
        """Return the status of each face that `collection` contains, as an enrolment would recognise it; None if new.

        Args:
            again: whether a face that moved to another subject counts as new, as in an enrolment that replaces faces.
        """

        async def ask(table: FaceTable) -> list[KnownStatus | None]:
            stored = await StoredFaces.of(await table.latest(), faces, again)
            return [stored.statuses[face.id] for face in faces]

        return await self._gallery.read(collection, ask)

    async def metadata(self, name: str, subjects: Sequence[str]) -> dict[str, Metadata]:
        """Return the metadata of those `subjects` in the collection called `name` that have any, by id."""
        by_key = {subject_key(subject): subject for subject in subjects}

        async def ask(faces: FaceTable) -> dict[str, Metadata]:
            newest = await faces.latest_version()
            texts = await texts_of_subjects(newest.table, list(by_key)) if COLUMN.name in newest.columns else {}
            return {by_key[key]: metadata for key, text in texts.items() if (metadata := decoded(text)) is not None}

        return await self._gallery.read(await self.collection(name), ask)

    async def find(
        self, name: str, contract: str, probes: Sequence[NDArray[np.float32]], count: int
    ) -> tuple[Collection, list[list[Hit]]]:
        """Return a collection, and for each probe the `count` most similar subjects by their best face, best first.

        Args:
            name: name of the collection.
            contract: contract of the probes.
            probes: float32 (size) each.
            count: at least 1.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``, ``EMBEDDING_CONTRACT_MISMATCH`` or ``INVALID_EMBEDDING``.
        """
        collection = await self._gallery.collection(name, contract)
        unit = [normalised(probe, collection.kind.size) for probe in probes]

        async def ask(faces: FaceTable) -> list[list[Hit]]:
            hits = await self._exact.find(faces, self._gallery.tables, unit, count)
            if hits is None:
                newest = await faces.latest_version()
                return await described(newest, [await faces.index.best(newest.table, probe, count) for probe in unit])
            return hits

        return collection, await self._gallery.read(collection, ask)

    async def find_like(
        self, name: str, count: int, *, face_id: str | None = None, subject: str | None = None
    ) -> tuple[Collection, list[Hit]]:
        """Return a collection, and the subjects that resemble one of its faces or subjects most, as `find` does.

        Exactly one of `face_id` and `subject` must be given.

        Args:
            name, count: see `find`.
            face_id: hex digits.
            subject: id of a subject. Its embeddings are averaged; if it has none, nothing is found.

        Raises:
            RequestError: ``FACE_NOT_FOUND``, or as `subject_and_faces`.
        """
        if subject is not None:
            collection, own = await self.subject_and_faces(name, subject, [])
            vectors = [vector for _, vector in own.values()]
        else:
            assert face_id is not None
            collection, found = await self.embeddings(name, [face_id])
            vectors = list(found.values())
            if not vectors:
                raise face_not_found()
        if not vectors:
            return collection, []
        collection, [hits] = await self.find(name, collection.kind.contract, [np.sum(vectors, axis=0)], count)
        return collection, hits

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
        wanted = min(count, FIRST_SUBJECTS)
        while True:
            collection, [hits] = await self.find(name, contract, [probe], wanted)
            near = [hit for hit in hits if hit.cosine >= least]
            if len(near) < wanted or wanted == count:
                break
            wanted = min(4 * wanted, count)
        unit = normalised(probe, collection.kind.size)

        async def ask(faces: FaceTable) -> list[FaceHit] | None:
            return await single_faces.best_faces(await faces.latest(), unit, near, count) if near else []

        if (found := await self._gallery.read(collection, ask)) is None:
            # A subject was renamed, merged or deleted in the meantime.
            return await self.find_faces(name, contract, probe, count, least)
        return collection, [hit for hit in found if hit.cosine >= least]

    async def subject_ids(self, name: str, after: str, limit: int, skipped: str) -> dict[str, bool]:
        """Return the ids of subjects with or without faces, in the order of code points, and whether each has faces.

        Args:
            name: name of the collection.
            after: only greater ids are returned.
            limit: maximum number of subjects.
            skipped: regular expression. Subjects with faces are left out if it matches their whole id.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``.
        """

        async def ask(faces: FaceTable) -> dict[str, bool]:
            roster, empty = await faces.empty.beside(lambda: self._roster(faces))
            full = await asyncio.to_thread(roster.ids, after, limit, skipped)
            place = bisect_right(empty, after)
            # A subject in `empty` may have faces by now. If it has, but is not in `full`, then `limit` subjects precede
            # it, so that it is not returned.
            found = dict.fromkeys(empty[place : place + limit], False) | dict.fromkeys(full, True)
            return dict(sorted(found.items())[:limit])

        return await self._gallery.read(await self._gallery.collection(name), ask)

    async def totals(self, name: str, skipped: str) -> tuple[Collection, int, int]:
        """Return a collection, and the numbers of its faces, and of its subjects with or without faces.

        Args:
            name, skipped: as in `subject_ids`.

        Raises:
            RequestError: as `subject_ids`.
        """
        collection = await self._gallery.collection(name)

        async def ask(faces: FaceTable) -> tuple[int, int]:
            roster, empty = await faces.empty.beside(lambda: self._roster(faces))
            subjects = roster.subjects - await asyncio.to_thread(roster.matching, skipped)
            if empty:
                subjects += await asyncio.to_thread(roster.missing, empty)
            return roster.faces, subjects

        return collection, *await self._gallery.read(collection, ask)

    async def _roster(self, faces: FaceTable) -> Roster:
        roster = await faces.roster.latest()
        self._forget_rosters(faces)
        return roster

    def _forget_rosters(self, asked: FaceTable) -> None:
        """Keep the roster of `asked` and the most recently used others, up to `ROSTER_BYTES` in total."""
        room = ROSTER_BYTES - asked.roster.bytes
        for each in sorted(self._gallery.tables.values(), key=lambda each: each.roster.asked, reverse=True):
            if each is not asked:
                room -= each.roster.bytes
                if room < 0:
                    each.roster.forget()
