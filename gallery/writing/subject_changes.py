"""The writer's changes that give faces to other subjects, or create subjects without faces."""

import asyncio
from collections.abc import Mapping, Sequence

import pyarrow as pa

from gallery.records import KeptAnswer, Reassignment, subject_key
from gallery.storage.empty_subjects import empty_subjects, list_empty, unlist_empty
from gallery.storage.locks import repeated
from gallery.storage.tables import one_of
from gallery.subject_ids import refuse_blank
from gallery.writing.moves import check_merge, check_rename, faces_to_reassign, move_faces
from gallery.writing.registry import OpenCollection, Registry
from gallery.writing.request_answers import answer_to, store_answer, storing_may_fail
from project.request_error import RequestError


class SubjectChanges:
    """The part of `gallery.writing.writer.Writer` that only needs the open collections; see that class for errors."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @repeated
    async def rename_subject(self, name: str, subject: str, new: str) -> int:
        """Give a subject another id in one commit. The subject keeps its metadata, and its faces keep their ids.

        Returns:
            The number of the subject's faces.

        Raises:
            RequestError: ``SUBJECT_NOT_FOUND``, ``SUBJECT_EXISTS`` if there is a subject called `new`, or
                ``INVALID_SUBJECT``.
        """
        async with self._registry.change(name, removes=True) as opened:
            await check_rename(opened.table, subject, new)
            return await self._move(opened, [subject], new, keep_metadata=True)

    @repeated
    async def merge_subjects(self, name: str, subjects: Sequence[str], into: str) -> int:
        """Give all faces of `subjects` to the subject `into` in one commit.

        The faces keep their ids, and `into` keeps its metadata.

        Returns:
            The number of faces of `subjects`.

        Raises:
            RequestError: ``INVALID_SUBJECT``, also if `into` is one of `subjects`, or ``SUBJECT_NOT_FOUND`` if `into`
                or any of `subjects` does not exist.
        """
        async with self._registry.change(name, removes=True) as opened:
            await check_merge(opened.table, subjects, into)
            return await self._move(opened, subjects, into, keep_metadata=False)

    @repeated
    async def reassign_faces(
        self,
        name: str,
        faces: Mapping[str, Reassignment],
        *,
        keep: Sequence[str] = (),
        drop: Sequence[str] = (),
        kept: KeptAnswer | None = None,
    ) -> tuple[list[str], str | None]:
        """Give single faces to other subjects, in one commit of the table of faces. The faces keep their ids.

        Args:
            faces: reassignments by face id. A face that is unknown, or that does not belong to the `present` subject
                of its reassignment, is left unchanged.
            keep: subjects to keep even if all of their faces are given to others.
            drop: subjects to delete unless they still have faces.
            kept: answer to store if all faces get their new subjects; see `Writer.keep_answer`. If it cannot be stored,
                that is logged, and the change stands.

        Returns:
            The ids of the faces that belong to their new subjects, and the answer that was kept for an earlier request
            with the same token. If there is one, nothing is changed.

        Raises:
            RequestError: ``INVALID_SUBJECT`` or ``IDEMPOTENCY_KEY_REUSED``.
        """
        for each in faces.values():
            refuse_blank(each.new)
        async with self._registry.change(name, removes=True) as opened:
            connection, table = self._registry.connection, opened.table
            # This may drop damaged answers. It is not awaited together with the reads below, because it would continue
            # after one of them had failed.
            if (earlier := await self._earlier_answer(opened, kept)) is not None:
                return [], earlier
            (found, given), *totals = await asyncio.gather(
                faces_to_reassign(table, faces),
                *(table.count_rows(one_of("subject_key", [subject_key(each)])) for each in keep),
            )
            new = set(drop)
            if len(found):
                for subject, total in zip(keep, totals, strict=True):
                    if total and total == found["subject"].to_pylist().count(subject):
                        await list_empty(connection, table.name, subject, "", may_be_listed=True)
                subjects = [faces[face_id].new for face_id in found["id"].to_pylist()]
                await self._log_and_move(opened, found, subjects, keep_metadata=False)
                new |= set(subjects)
            await unlist_empty(connection, table.name, sorted(map(subject_key, new)))
            moved = given + list(map(str, found["id"].to_pylist()))
            if kept and len(moved) == len(faces):
                await self._keep(opened, kept)
            return moved, None

    @repeated
    async def create_subject(self, name: str, subject: str, request: str, kept: KeptAnswer | None = None) -> str | None:
        """Create a subject without faces. Repeating the same request has no further effect.

        Args:
            request: digest of the request.
            kept: answer to store, as in `reassign_faces`.

        Returns:
            The answer that was kept for an earlier request with the same token. If there is one, nothing is changed.

        Raises:
            RequestError: ``INVALID_SUBJECT``, ``SUBJECT_EXISTS`` or ``IDEMPOTENCY_KEY_REUSED``.
        """
        refuse_blank(subject)
        # Counted as a removal, so that the next clean-up erases the answer.
        async with self._registry.change(name, removes=True) as opened:
            connection, table = self._registry.connection, opened.table
            if (answer := await self._earlier_answer(opened, kept)) is not None:
                return answer
            earlier = (await empty_subjects(connection, table.name)).get(subject)
            if earlier != request:
                if earlier is not None or await table.count_rows(one_of("subject_key", [subject_key(subject)])):
                    raise RequestError("SUBJECT_EXISTS", "The collection already has a subject with this id")
                await list_empty(connection, table.name, subject, request, may_be_listed=False)
                opened.commits += 1
            if kept:
                await self._keep(opened, kept)
            return None

    async def _earlier_answer(self, opened: OpenCollection, kept: KeptAnswer | None) -> str | None:
        return await answer_to(self._registry.connection, opened.table.name, kept.request) if kept else None

    async def _keep(self, opened: OpenCollection, kept: KeptAnswer) -> None:
        with storing_may_fail():
            await store_answer(self._registry.connection, opened.table.name, kept)
            opened.commits += 1

    async def _move(self, opened: OpenCollection, subjects: Sequence[str], to: str, *, keep_metadata: bool) -> int:
        """Give all faces of `subjects` to another subject, and return their number."""
        keys = sorted({subject_key(subject) for subject in subjects})
        await unlist_empty(self._registry.connection, opened.table.name, keys)
        faces = await opened.table.query().where(one_of("subject_key", keys)).to_arrow()
        await self._log_and_move(opened, faces, [to] * len(faces), keep_metadata=keep_metadata)
        return len(faces)

    async def _log_and_move(
        self, opened: OpenCollection, faces: pa.Table, subjects: Sequence[str], *, keep_metadata: bool
    ) -> None:
        """Log faces as removed from their subjects, then give them to other `subjects` in one commit."""
        await self._registry.log_removed(opened, faces)
        opened.count_row_commit()
        await move_faces(opened.table, faces, subjects, self._registry.next_commit(), keep_metadata=keep_metadata)
