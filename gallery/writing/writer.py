"""The gallery's writer: the operations that change the gallery."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from gallery.location import Location
from gallery.metadata_format import encoded
from gallery.operations import ANY
from gallery.records import Collection, EmbeddingKind, Enrolled, KeptAnswer, Metadata, NewFace, subject_key
from gallery.search.vector_index import DEFAULT_RULE, IndexRule
from gallery.storage import metadata as subject_metadata
from gallery.storage.disk import lock
from gallery.storage.empty_subjects import unlist_empty
from gallery.storage.locks import repeated
from gallery.storage.recovery import recover
from gallery.storage.stored_faces import StoredFaces
from gallery.storage.tables import face_rows, imported_rows, is_repeated, one_of
from gallery.subject_ids import refuse_blank
from gallery.writing.maintainer import Maintainer
from gallery.writing.registry import OpenCollection, Registry
from gallery.writing.request_answers import answer_to, storing_may_fail
from gallery.writing.subject_changes import SubjectChanges


class Writer(SubjectChanges):
    """Commits one change at a time. Create it with `open`.

    An operation on a collection also raises `RequestError` with ``COLLECTION_NOT_FOUND`` or ``COLLECTION_UNREADABLE``.
    """

    def __init__(self, registry: Registry, lock: int | None, maintainer: Maintainer) -> None:
        super().__init__(registry)
        self._lock_file = lock
        self._maintainer = maintainer

    @classmethod
    async def open(cls, location: Location, index_rule: IndexRule = DEFAULT_RULE, patience: float = 0) -> "Writer":
        """Open the gallery for writing, after repairing damage from a power loss and completing interrupted drops.

        Args:
            index_rule: which collections get a vector index.
            patience: time to wait for another writer, in seconds.

        Raises:
            GalleryInUseError: another writer still has the gallery open. Not detected in an object store.
        """
        lock_file = None if location.folder is None else await lock(location.folder, patience)
        try:
            await recover(location)
            registry = await Registry.open(location)
        except BaseException:
            if lock_file is not None:
                os.close(lock_file)
            raise
        return cls(registry, lock_file, Maintainer(registry, index_rule))

    async def close(self) -> None:
        """Close the gallery, so that another writer can open it."""
        await self._registry.close()
        if self._lock_file is not None:
            os.close(self._lock_file)

    @property
    def collections(self) -> list[Collection]:
        """All collections, sorted by name."""
        return [opened.collection for opened in self._registry.opened]

    async def create(
        self, name: str, kind: EmbeddingKind, threshold: float | None, exist_ok: bool = False
    ) -> Collection:
        """Create an empty collection.

        Args:
            exist_ok: return an existing collection of this name if its embeddings are of the same kind.

        Raises:
            RequestError: ``COLLECTION_EXISTS``.
        """
        return await self._registry.create(name, kind, threshold, exist_ok)

    async def set_threshold(self, name: str, threshold: float | None) -> Collection:
        """Set the minimum cosine similarity of a match in a collection; None for the card's threshold."""
        return await self._registry.set_threshold(name, threshold)

    async def drop(self, name: str, *, only_empty: bool = False) -> None:
        """Delete a collection with all its faces, in all versions.

        Args:
            only_empty: refuse to delete a collection that contains faces.

        Raises:
            RequestError: ``COLLECTION_NOT_EMPTY``.
        """
        await self._registry.drop(name, only_empty)

    @repeated
    async def enrol(
        self,
        name: str,
        contract: str,
        faces: Sequence[NewFace],
        *,
        replace: bool = False,
        request: tuple[str, str] | None = None,
        metadata: Mapping[str, Metadata] | None = None,
    ) -> list[Enrolled]:
        """Enrol faces in one commit: either all of them or none.

        Faces that are already enrolled are left unchanged. With `replace`, they get the new embedding, and the
        subjects' other faces are deleted in the same commit. A face that was moved to another subject stays there. With
        `replace`, it is also enrolled again, under another id.

        Args:
            contract: contract of the embeddings.
            request: idempotency key and digest of the request. Repeating a request changes nothing while any face
                that it enrolled still exists.
            metadata: metadata by subject id, for subjects that have a face after the commit. Other subjects keep their
                metadata, even with `replace`.

        Returns:
            One result per face, in order.

        Raises:
            RequestError: ``EMBEDDING_CONTRACT_MISMATCH``, ``INVALID_EMBEDDING``, ``INVALID_SUBJECT``,
                ``INVALID_METADATA``, or ``IDEMPOTENCY_KEY_REUSED`` for a different request.
        """
        for face in faces:
            refuse_blank(face.subject)
        texts = {subject_key(subject): encoded(given) for subject, given in (metadata or {}).items()}
        async with self._registry.change(name, contract, removes=replace or bool(texts)) as opened:
            resent = request is not None and await is_repeated(opened.table, request)
            stored = await _stored(opened, faces, again=replace and not resent)
            if resent:
                status = {face_id: known or "deleted" for face_id, known in stored.statuses.items()}
                return [Enrolled(stored.ids[face.id], face.subject, status[face.id]) for face in faces]
            new = {stored.ids[face.id]: face for face in faces if replace or not stored.statuses[face.id]}
            data = face_rows(new, opened.collection.kind.size, self._registry.next_commit(), request)
            data = await subject_metadata.enrolled(opened.table, data, texts, replace)
            if data.num_rows and len(new) == data.num_rows and not replace and self._lock_file is not None:
                # There is no other writer that could have enrolled them since, so Lance need not look for them again.
                await opened.table.add(data)
            elif data.num_rows:
                merge = opened.table.merge_insert("id").when_not_matched_insert_all()
                if replace or data.num_rows > len(new):
                    merge = merge.when_matched_update_all()
                if replace:
                    keys = {subject_key(face.subject) for face in new.values()}
                    others = [each for each, key in stored.keys.items() if key in keys and each not in new]
                    # Lance reads the whole table for this clause, so add it only if there is something to delete.
                    if others:
                        gone = opened.table.query().where(one_of("id", others)).select(["id", "subject"])
                        await self._registry.log_removed(opened, await gone.to_arrow())
                        merge = merge.when_not_matched_by_source_delete(one_of("subject_key", sorted(keys)))
                await merge.execute(data)
            if data.num_rows:
                await opened.note_rows(data)
            results, enrolled = [], set[str]()
            for face in faces:
                # A face that the request contains twice is already enrolled the second time.
                known = stored.statuses[face.id] or ("already" if face.id in enrolled else "enrolled")
                results.append(Enrolled(stored.ids[face.id], face.subject, known))
                enrolled.add(face.id)
            return results

    @repeated
    async def insert(self, name: str, contract: str, faces: pa.RecordBatch) -> int:
        """Add faces to import in one commit, except those that are already enrolled. Return how many are new.

        Args:
            contract: contract of the embeddings.
            faces: a batch that `gallery.transfer.face_batches.checked_batch` returned.

        Raises:
            RequestError: ``EMBEDDING_CONTRACT_MISMATCH`` or ``INVALID_EMBEDDING``.
        """
        texts = subject_metadata.in_file(faces)
        async with self._registry.change(name, contract, removes=bool(texts)) as opened:
            data = imported_rows(faces, opened.collection.kind.size, self._registry.next_commit())
            data = await subject_metadata.with_metadata(opened.table, data, texts)
            if await opened.may_contain(data["id"]):
                merged: Any = await opened.table.merge_insert("id").when_not_matched_insert_all().execute(data)
                new = int(merged.num_inserted_rows)
            else:
                await opened.table.add(data)
                new = data.num_rows
            await opened.note_rows(data)
            return new

    @repeated
    async def set_metadata(self, name: str, subject: str, metadata: Metadata | None) -> None:
        """Replace the metadata of a subject in one commit; None removes it.

        Raises:
            RequestError: ``SUBJECT_NOT_FOUND``, ``INVALID_SUBJECT`` or ``INVALID_METADATA``.
        """
        key, text = subject_key(subject), None if metadata is None else encoded(metadata)
        async with self._registry.change(name, removes=True) as opened:
            if await subject_metadata.put(opened.table, key, text):
                opened.count_row_commit()

    @repeated
    async def delete_subjects(self, name: str, subjects: Sequence[str]) -> int:
        """Delete all faces of `subjects`, and ignore unknown subjects.

        Returns:
            The number of faces deleted.

        Raises:
            RequestError: ``INVALID_SUBJECT``.
        """
        keys = [subject_key(subject) for subject in subjects]
        async with self._registry.change(name, removes=True) as opened:
            # First, because a subject that still has faces exists even without this entry.
            await unlist_empty(self._registry.connection, opened.table.name, keys)
            return len(await self._delete(opened, one_of("subject_key", keys)))

    @repeated
    async def delete_faces(self, name: str, face_ids: Sequence[str], subject_pattern: str = ANY) -> dict[str, str]:
        """Delete faces in one commit, and ignore unknown ids.

        Args:
            subject_pattern: regular expression that matches the whole id of the subjects whose faces are deleted.

        Returns:
            The subject of each known face by its id, whether the face was deleted or not.
        """
        ids = [each for each in face_ids if each.isascii() and each.isalnum()]
        async with self._registry.change(name, removes=True) as opened:
            return await self._delete(opened, one_of("id", ids), subject_pattern)

    async def earlier_answer(self, name: str, request: tuple[str, str]) -> str | None:
        """Return the answer that was kept for a request; None if there is none, or a clean-up has erased it.

        Args:
            request: token and digest of the request.

        Raises:
            RequestError: ``IDEMPOTENCY_KEY_REUSED`` for a different request.
        """
        async with self._registry.change(name) as opened:
            return await answer_to(self._registry.connection, opened.table.name, request)

    async def keep_answer(self, name: str, kept: KeptAnswer) -> None:
        """Store the first answer to a request for `earlier_answer`, across restarts. A failure is only logged."""
        with storing_may_fail():
            # Counted as a removal, so that the next clean-up erases it.
            async with self._registry.change(name, removes=True) as opened:
                if await self._earlier_answer(opened, kept) is None:
                    await self._keep(opened, kept)

    async def gather(self) -> None:
        """Gather new faces that are spread over many files; see `gallery.writing.maintainer`."""
        await self._maintainer.gather()

    async def optimise(self) -> None:
        """Merge the small files of collections with many commits; see `gallery.writing.maintainer`."""
        await self._maintainer.optimise()

    async def clean(self) -> dict[str, int]:
        """Erase deleted faces from the files; see `gallery.writing.maintainer.Maintainer.clean`."""
        return await self._maintainer.clean()

    @property
    def optimisation_is_urgent(self) -> bool:
        """Whether `optimise` should be called soon; see `gallery.writing.maintainer`."""
        return self._maintainer.optimisation_is_urgent

    async def _delete(self, opened: OpenCollection, where: str, subject_pattern: str = ANY) -> dict[str, str]:
        """Delete the faces that match a filter; see `delete_faces`."""
        known = await opened.table.query().where(where).select(["id", "subject"]).to_arrow()
        owners = known["subject"].to_pylist()
        gone = known.filter(pa.array([bool(re.fullmatch(subject_pattern, each)) for each in owners], pa.bool_()))
        # Deleting nothing would still create a commit.
        if len(gone):
            await self._registry.log_removed(opened, gone)
            # The ids of all faces of a subject would be a long filter.
            await opened.table.delete(where if len(gone) == len(known) else one_of("id", gone["id"].to_pylist()))
            opened.commits += 1
        return dict(zip(known["id"].to_pylist(), owners, strict=True))


async def _stored(opened: OpenCollection, faces: Sequence[NewFace], again: bool) -> StoredFaces:
    """Look up faces; see `StoredFaces.of`. Most new ones are recognised as such without reading the table."""
    if await opened.may_contain([face.id for face in faces], [subject_key(face.subject) for face in faces]):
        return await StoredFaces.of(opened.table, faces, again)
    return StoredFaces.none(faces)
