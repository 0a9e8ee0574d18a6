"""The ids of people and faces that a request is about, collected for the audit log."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi import Request

from gallery.records import MAX_SUBJECT


@dataclass(slots=True)
class AuditIds:
    """The ids collected so far, in `request.state.audit_ids`: each once, in order."""

    collection: str | None = None
    subjects: dict[str, None] = field(default_factory=dict)
    faces: dict[str, None] = field(default_factory=dict)


def add_audit_ids(
    request: Request, subjects: Iterable[str] = (), faces: Iterable[str] = (), collection: str | None = None
) -> None:
    """Add ids for the audit log. Call this before any change, so that a failed request is logged with them.

    Args:
        request: the request that is logged.
        subjects: subjects to enrol, to delete, or found.
        faces: individual faces to delete.
        collection: the collection, if the request's path does not name it.
    """
    ids: AuditIds = request.state.audit_ids
    ids.collection = collection or ids.collection
    # No valid id is longer; an id that is rejected for its length must not fill the log.
    ids.subjects |= dict.fromkeys(each[:MAX_SUBJECT] for each in subjects)
    ids.faces |= dict.fromkeys(each[:MAX_SUBJECT] for each in faces)
