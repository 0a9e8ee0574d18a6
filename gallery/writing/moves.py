"""Giving faces to other subjects."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
from lancedb import AsyncTable

from gallery.errors import subject_not_found
from gallery.records import Reassignment, subject_key
from gallery.storage.metadata import with_metadata
from gallery.storage.tables import one_of, rows, with_column
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
        RequestError: ``SUBJECT_NOT_FOUND``, with the missing ids in its details, or ``INVALID_SUBJECT``.
    """
    if into in subjects:
        raise RequestError("INVALID_SUBJECT", "A subject cannot be merged into itself")
    if missing := {*subjects, into} - await _known(table, [*subjects, into]):
        raise RequestError(
            "SUBJECT_NOT_FOUND", "The collection does not have all of these subjects", {"missing": sorted(missing)}
        )


async def faces_to_reassign(table: AsyncTable, wanted: Mapping[str, Reassignment]) -> tuple[pa.Table, list[str]]:
    """Return the rows of the faces to give to other subjects, and the ids of faces that already have the new subject.

    Args:
        wanted: reassignments by face id. Faces that are unknown or belong to a third subject are left out.
    """
    found = await table.query().where(one_of("id", list(wanted))).to_arrow()
    pairs = list(zip(found["id"].to_pylist(), found["subject"].to_pylist(), strict=True))
    moving = found.filter(pa.array([wanted[face_id].present == subject for face_id, subject in pairs], pa.bool_()))
    return moving, [face_id for face_id, subject in pairs if wanted[face_id].new == subject]


async def move_faces(
    table: AsyncTable, faces: pa.Table, subjects: Sequence[str], commit: int, *, keep_metadata: bool
) -> None:
    """Give faces to other subjects in one commit.

    Args:
        faces: rows of the faces.
        subjects: the new subject of each face.
        commit: number of the commit. Readers read the faces again, because this number is new.
        keep_metadata: if False, the faces get the metadata of their new subjects.
    """
    keys = {subject: subject_key(subject) for subject in set(subjects)}
    columns = {"subject": subjects, "subject_key": [keys[each] for each in subjects], "commit": [commit] * len(faces)}
    for name, values in columns.items():
        faces = with_column(faces, faces.schema.field(name), values)
    if not keep_metadata:
        faces = await with_metadata(table, faces)
    # An update would need the client's text in SQL.
    await table.merge_insert("id").when_matched_update_all().execute(faces)


async def _known(table: AsyncTable, subjects: Sequence[str]) -> set[str]:
    keys = {subject_key(subject): subject for subject in subjects}
    found = await rows(table, one_of("subject_key", list(keys)), ["subject_key"])
    return {keys[str(row["subject_key"])] for row in found}
