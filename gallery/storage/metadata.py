"""Storing the metadata of subjects.

It is stored with each face of the subject, in a column that is added to a table at the first use. It therefore changes
in the same commit as the faces, and disappears with the last of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from lancedb import AsyncTable

from gallery.errors import subject_not_found
from gallery.metadata_format import decoded, encoded, parsed
from gallery.records import Hit, subject_key
from gallery.storage.latest_table import TableVersion
from gallery.storage.tables import one_of, rows, with_column

COLUMN = pa.field("metadata", pa.string())


async def has_metadata(table: AsyncTable) -> bool:
    """Whether any subject in a table of faces has had metadata."""
    return COLUMN.name in (await table.schema()).names


async def texts_of_subjects(table: AsyncTable, keys: Sequence[str]) -> dict[str, str | None]:
    """Return the metadata of the subjects with these keys that have a face, by key."""
    columns = ["subject_key", *([COLUMN.name] if await has_metadata(table) else [])]
    found: Any = await rows(table, one_of("subject_key", keys), columns)
    return {row["subject_key"]: row.get(COLUMN.name) for row in found}


async def described(newest: TableVersion, found: list[list[Hit]]) -> list[list[Hit]]:
    """Return search hits with the metadata of their subjects."""
    ids = {hit.face_id for hits in found for hit in hits} if COLUMN.name in newest.columns else set()
    if not ids:
        return found
    stored: Any = await rows(newest.table, one_of("id", sorted(ids)), ["id", COLUMN.name])
    # Decoded once per face: a small text can be a large object, and all faces of a photo may have the same hits.
    objects = {row["id"]: decoded(row[COLUMN.name]) for row in stored}
    return [[replace(hit, metadata=objects.get(hit.face_id)) for hit in hits] for hits in found]


async def put(table: AsyncTable, key: str, text: str | None) -> bool:
    """Set the metadata of the subject with this key in one commit. Return whether anything changed."""
    current = await texts_of_subjects(table, [key])
    if not current:
        raise subject_not_found()
    if current[key] == text:
        return False
    await _add_column(table)
    faces = await table.query().where(one_of("subject_key", [key])).to_arrow()
    await table.merge_insert("id").when_matched_update_all().execute(_with_texts(faces, {key: text}))
    return True


async def enrolled(table: AsyncTable, faces: pa.Table, given: Mapping[str, str], replace: bool) -> pa.Table:
    """Add metadata to the rows of an enrolment.

    Args:
        faces: rows of the faces to enrol, possibly none.
        given: metadata to set, by the subjects' keys. Other subjects keep theirs.
        replace: whether the commit deletes the subjects' other faces.

    Returns:
        The rows, and those of the subjects' other faces if their metadata changes.
    """
    if not given and not await has_metadata(table):
        return faces
    current = await texts_of_subjects(table, sorted({*faces["subject_key"].to_pylist(), *given}))
    changed = [key for key, text in given.items() if key in current and current[key] != text and not replace]
    if not faces.num_rows and not changed:
        return faces
    await _add_column(table)
    written = _with_texts(faces, {**current, **given})
    if changed:
        others = await table.query().where(one_of("subject_key", changed)).to_arrow()
        others = _with_texts(others.select(faces.schema.names), given)
        written = pa.concat_tables([written, others.cast(written.schema)])
    return written


async def with_metadata(table: AsyncTable, faces: pa.Table, given: Mapping[str, str] | None = None) -> pa.Table:
    """Return rows with the metadata of their subjects. A subject without a face gets its metadata from `given`, by key.

    If there is no metadata at all, the rows stay as they are.
    """
    if not given and not await has_metadata(table):
        return faces
    current = await texts_of_subjects(table, sorted(set(faces["subject_key"].to_pylist())))
    await _add_column(table)
    return _with_texts(faces, {**(given or {}), **current})


def in_file(faces: pa.RecordBatch) -> dict[str, str]:
    """Return the metadata in an exported batch by the subjects' keys, from each subject's first face that has any.

    Raises:
        RequestError: ``INVALID_METADATA``.
    """
    if COLUMN.name not in faces.schema.names:
        return {}
    pairs = reversed(list(zip(faces["subject"].to_pylist(), faces[COLUMN.name].to_pylist(), strict=True)))
    return {subject_key(subject): encoded(parsed(text)) for subject, text in pairs if text is not None}


async def _add_column(table: AsyncTable) -> None:
    """Add the column to a table of faces, unless it exists."""
    if not await has_metadata(table):
        await table.add_columns(COLUMN)


def _with_texts(faces: pa.Table, texts: Mapping[str, str | None]) -> pa.Table:
    """Set the column of `faces` from `texts`, the metadata by the subjects' keys."""
    return with_column(faces, COLUMN, [texts.get(key) for key in faces["subject_key"].to_pylist()])
