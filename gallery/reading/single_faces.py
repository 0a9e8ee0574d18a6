"""Queries for single faces of a table."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lancedb import AsyncTable
from lancedb.query import AsyncQuery
from numpy.typing import NDArray

from gallery.records import FaceHit, FacePlace, Hit, StoredFace, subject_key
from gallery.storage.tables import one_of, vectors_of
from gallery.unit_vectors import clipped

_LISTED = ["id", "subject", "label", "created", "place"]
"""Columns of a listed face. Tables of earlier versions lack the last one until a writer has opened them."""
_LAST = 2**128 - 1
"""The greatest id, as a number."""


async def faces_with_ids(table: AsyncTable, face_ids: Sequence[str]) -> list[StoredFace]:
    """Return the faces with these ids that the table contains, in any order."""
    return _stored(await _where(table, "id", face_ids, _LISTED))


async def faces_of_subject(table: AsyncTable, subject: str) -> list[StoredFace]:
    """Return the faces of a subject in the order of their enrolment.

    Raises:
        RequestError: ``INVALID_SUBJECT``.
    """
    return _stored((await _where(table, "subject_key", [subject_key(subject)], _LISTED)).sort_by("created"))


async def faces_after(table: AsyncTable, after: str, limit: int) -> list[StoredFace]:
    """Return the `limit` faces whose ids follow `after`, in the order of their ids.

    Ids are digests and thus evenly distributed: a range of ids as large as the wanted share of all faces contains about
    `limit` faces. Only that range is read. Imported ids may be unevenly distributed. If a range contains many more
    faces, its ids are read first, and then only the faces that are needed. If it contains fewer, the next range is
    larger.

    Args:
        after: 32 hex digits, or empty for the first page.
    """
    start, faces, columns = int(after, 16) if after else -1, list[StoredFace](), await _known(table, _LISTED)
    # A few more, so that one range is nearly always enough.
    most = limit + 4 * math.isqrt(limit) + 16
    step = _LAST * most // max(await table.count_rows(), 1)
    while start < _LAST and len(faces) < limit:
        stop = min(start + step, _LAST)
        found = await _between(table, start, stop, columns).limit(2 * most).to_arrow()
        if found.num_rows == 2 * most:
            ids = (await _between(table, start, stop, ["id"]).to_arrow())["id"]
            if len(ids) > limit:
                stop = int(ids[pc.sort_indices(ids)[limit - 1].as_py()].as_py(), 16)
            found = await _between(table, start, stop, columns).to_arrow()
        faces += _stored(found.sort_by("id"))
        start, step = stop, 2 * step
    return faces[:limit]


async def vectors_of_faces(table: AsyncTable, face_ids: Sequence[str], size: int) -> dict[str, NDArray[np.float32]]:
    """Return the embeddings of the faces with these ids, by id: float32 (size) of length 1."""
    found = await _where(table, "id", face_ids, ["id", "vector"])
    return dict(zip(found["id"].to_pylist(), vectors_of(found["vector"], size), strict=True))


async def owned_vectors(
    table: AsyncTable, subject: str, face_ids: Sequence[str], size: int
) -> dict[str, tuple[str, NDArray[np.float32]]]:
    """Return, by id, the subject and the embedding of each face that belongs to `subject` or has one of these ids.

    Raises:
        RequestError: ``INVALID_SUBJECT``.
    """
    where = one_of("subject_key", [subject_key(subject)])
    if face_ids:
        where += f" OR {one_of('id', face_ids)}"
    found = await table.query().where(where).select(["id", "subject", "vector"]).to_arrow()
    owned = zip(found["subject"].to_pylist(), vectors_of(found["vector"], size), strict=True)
    return dict(zip(found["id"].to_pylist(), owned, strict=True))


async def best_faces(
    table: AsyncTable, probe: NDArray[np.float32], hits: Sequence[Hit], count: int
) -> list[FaceHit] | None:
    """Return the `count` most similar faces, best first, given the `count` most similar subjects.

    No other subject has one of these faces: with such a face, it would be one of the most similar subjects. Returns
    None if one of the subjects has no faces any more.

    Args:
        probe: float32 (size) of length 1.
    """
    keys = [subject_key(hit.subject) for hit in hits]
    found = await _where(table, "subject_key", keys, [*_LISTED, "vector"])
    if pc.count_distinct(found["subject"]).as_py() < len(keys):
        return None
    cosines = vectors_of(found["vector"], len(probe)) @ probe
    order = np.argsort(-cosines, kind="stable")[:count]
    stored = _stored(found.take(pa.array(order)))
    return [FaceHit(face, clipped(float(cosines[row]))) for face, row in zip(stored, order.tolist(), strict=True)]


def _between(table: AsyncTable, start: int, stop: int, columns: list[str]) -> AsyncQuery:
    """Return a query for ids after `start`, or from the first one if that is negative, to `stop`."""
    after = f" AND id > '{start:032x}'" if start >= 0 else ""
    return table.query().where(f"id <= '{stop:032x}'{after}").select(columns)


async def _where(table: AsyncTable, column: str, keys: Sequence[str], columns: list[str]) -> pa.Table:
    where = one_of(column, keys) if keys else "false"
    return await table.query().where(where).select(await _known(table, columns)).to_arrow()


async def _known(table: AsyncTable, columns: list[str]) -> list[str]:
    names = set((await table.schema()).names)
    return [column for column in columns if column in names]


def _stored(found: pa.Table) -> list[StoredFace]:
    rows = found.select([name for name in found.column_names if name != "vector"]).to_pylist()
    return [
        StoredFace(row["id"], row["subject"], row["label"], row["created"], FacePlace.of(row.get("place")))
        for row in rows
    ]
