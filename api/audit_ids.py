"""The ids of people and faces that a request is about, collected for the audit log."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from gallery.records import MAX_SUBJECT


@dataclass(slots=True)
class AuditIds:
    """The ids collected so far, in `request.state.audit_ids`: each once, in order.

    Attributes:
        note: writes a line with them and an HTTP status.
    """

    collection: str | None = None
    subjects: dict[str, None] = field(default_factory=dict)
    faces: dict[str, None] = field(default_factory=dict)
    note: Callable[[int | None], None] = lambda status: None

    def note_part(self, status: int) -> None:
        """Write a line about a completed part of the request, with its HTTP status, and forget the part's subjects."""
        self.note(status)
        self.subjects.clear()

    def add(self, subjects: Iterable[str] = (), faces: Iterable[str] = (), collection: str | None = None) -> None:
        """Add ids. Call this before any change, so that a failed request is logged with them.

        Args:
            subjects: subjects that the request enrols, verifies, changes, deletes or finds.
            faces: individual faces that the request names.
            collection: the collection, if the request's path does not name it.
        """
        self.collection = collection or self.collection
        # No valid id is longer; an id that is rejected for its length must not fill the log.
        self.subjects |= dict.fromkeys(each[:MAX_SUBJECT] for each in subjects)
        self.faces |= dict.fromkeys(each[:MAX_SUBJECT] for each in faces)


async def _audit_ids(request: Request) -> AuditIds:
    ids: AuditIds = request.state.audit_ids
    return ids


CurrentAuditIds = Annotated[AuditIds, Depends(_audit_ids)]
"""The ids of a request."""
