"""Giving single faces to other subjects."""

from collections.abc import Mapping

import pyarrow as pa
from lancedb import AsyncTable

from gallery.records import Reassignment, subject_key
from gallery.storage import metadata
from gallery.storage.tables import one_of, with_columns


async def faces_to_reassign(table: AsyncTable, wanted: Mapping[str, Reassignment]) -> tuple[pa.Table, list[str]]:
    """Return the rows of the faces that are to be given to other subjects, and the ids of those that have theirs.

    Args:
        wanted: by the id of a face. Faces that are unknown or belong to a third subject are left out.
    """
    found = await table.query().where(one_of("id", list(wanted)) if wanted else "false").to_arrow()
    pairs = list(zip(found["id"].to_pylist(), found["subject"].to_pylist(), strict=True))
    moving = found.filter(pa.array([wanted[face_id].present == subject for face_id, subject in pairs], pa.bool_()))
    return moving, [face_id for face_id, subject in pairs if wanted[face_id].new == subject]


async def reassign(table: AsyncTable, faces: pa.Table, wanted: Mapping[str, Reassignment], commit: int) -> None:
    """Give `faces` to their new subjects in one commit."""
    subjects = [wanted[face_id].new for face_id in faces["id"].to_pylist()]
    keys = list(map(subject_key, subjects))
    # With the new commit number, readers read the faces again.
    faces = with_columns(faces, {"subject": subjects, "subject_key": keys, "commit": [commit] * len(faces)})
    faces = await metadata.reassigned(table, faces)
    await table.merge_insert("id").when_matched_update_all().execute(faces)
