"""Giving the faces of subjects to another subject."""

from collections.abc import Sequence

from lancedb import AsyncTable

from gallery.errors import subject_not_found
from gallery.records import subject_key
from gallery.storage.metadata import COLUMN, texts_of_subjects
from gallery.storage.tables import one_of, rows, with_columns
from gallery.subject_ids import refuse_blank
from project.request_error import RequestError


async def check_rename(table: AsyncTable, subject: str, new: str) -> None:
    """Check that a subject can be given the id `new`.

    Raises:
        RequestError: ``SUBJECT_NOT_FOUND``, ``SUBJECT_EXISTS`` or ``INVALID_SUBJECT``.
    """
    refuse_blank(new)
    known = await _known(table, [subject, new])
    if subject not in known:
        raise subject_not_found()
    if new in known:
        raise RequestError("SUBJECT_EXISTS", "The collection already has a subject with the new id; merge them instead")


async def check_merge(table: AsyncTable, subjects: Sequence[str], into: str) -> None:
    """Check that `subjects` can be merged into another subject.

    Raises:
        RequestError: ``SUBJECT_NOT_FOUND`` or ``INVALID_SUBJECT``.
    """
    if into in subjects:
        raise RequestError("INVALID_SUBJECT", "A subject cannot be merged into itself")
    if await _known(table, [*subjects, into]) != {*subjects, into}:
        raise RequestError("SUBJECT_NOT_FOUND", "The collection does not have all of these subjects")


async def move_faces(table: AsyncTable, keys: Sequence[str], to: str, commit: int) -> int:
    """Give the faces of the subjects with these keys to the subject `to` in one commit, and return their number."""
    faces = await table.query().where(one_of("subject_key", keys)).to_arrow()
    # With the new commit number, readers read the faces again.
    values: dict[str, object] = {"subject": to, "subject_key": subject_key(to), "commit": commit}
    if COLUMN.name in faces.schema.names and (kept := await texts_of_subjects(table, [subject_key(to)])):
        # All faces of a subject have the same metadata.
        values[COLUMN.name] = kept[subject_key(to)]
    faces = with_columns(faces, {name: [value] * faces.num_rows for name, value in values.items()})
    # An update would need the client's text in SQL.
    await table.merge_insert("id").when_matched_update_all().execute(faces)
    return int(faces.num_rows)


async def _known(table: AsyncTable, subjects: Sequence[str]) -> set[str]:
    keys = {subject_key(subject): subject for subject in subjects}
    found = await rows(table, one_of("subject_key", list(keys)), ["subject_key"])
    return {keys[str(row["subject_key"])] for row in found}
