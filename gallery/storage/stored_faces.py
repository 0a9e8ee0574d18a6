"""The faces of a request that a collection already contains."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lancedb import AsyncTable

from gallery.records import KnownStatus, NewFace, subject_key
from gallery.storage.tables import one_of, rows


@dataclass(frozen=True, slots=True)
class StoredFaces:
    """What a table contains of a request's faces and of their subjects.

    Attributes:
        ids: the id of each face in the table, by the face's own id. They differ if its subject was renamed.
        statuses: whether each face is enrolled or moved to another subject, by its own id; None if it is new.
        keys: keys of the subjects, by the ids of all their faces.
    """

    ids: Mapping[str, str]
    statuses: Mapping[str, KnownStatus | None]
    keys: Mapping[str, str]

    @classmethod
    def none(cls, faces: Sequence[NewFace]) -> "StoredFaces":
        """The result if the table contains neither `faces` nor their subjects."""
        ids = [face.id for face in faces]
        return cls(dict(zip(ids, ids, strict=True)), dict.fromkeys(ids), {})

    @classmethod
    async def of(cls, table: AsyncTable, faces: Sequence[NewFace], again: bool) -> "StoredFaces":
        """Look up `faces`, by their ids and by their subjects and sources.

        Args:
            again: whether a face that moved to another subject is enrolled again, with a new id.
        """
        subjects = sorted({subject_key(face.subject) for face in faces})
        where = f"{one_of('id', [face.id for face in faces])} OR {one_of('subject_key', subjects)}"
        # A reader may see a table of an earlier version, which has no sources yet.
        names = (await table.schema()).names
        found = await rows(table, where, [each for each in ("id", "subject_key", "source") if each in names])
        keys = {str(row["id"]): str(row["subject_key"]) for row in found}
        sources = {(str(row["subject_key"]), row.get("source")): str(row["id"]) for row in found}
        ids, statuses = dict[str, str](), dict[str, KnownStatus | None]()
        for face in faces:
            key = subject_key(face.subject)
            known = face.id if keys.get(face.id) == key else sources.get((key, face.source_number))
            moved = known is None and face.id in keys
            ids[face.id] = known or (uuid.uuid4().hex if moved and again else face.id)
            statuses[face.id] = "already" if known else "moved" if moved and not again else None
        return cls(ids, statuses, keys)
