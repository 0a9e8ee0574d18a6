"""What routes tell the audit log of the people whom a request is about."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi import Request

from gallery.records import MAX_SUBJECT


@dataclass(slots=True)
class Concerned:
    """Whom a request is about, as `request.state.concerned`. In order, each once."""

    collection: str | None = None
    subjects: dict[str, None] = field(default_factory=dict)
    faces: dict[str, None] = field(default_factory=dict)


def concerns(
    request: Request, subjects: Iterable[str] = (), faces: Iterable[str] = (), collection: str | None = None
) -> None:
    """Note ids for the audit log, before anything is done, so that a failure is noted with them.

    Args:
        request: of the caller.
        subjects: ids of those to enrol or to delete, or of those found.
        faces: ids of single faces to delete.
        collection: where its address does not name it.
    """
    noted: Concerned = request.state.concerned
    noted.collection = collection or noted.collection
    # No id is longer; what is refused for its length need not fill the log.
    noted.subjects |= dict.fromkeys(each[:MAX_SUBJECT] for each in subjects)
    noted.faces |= dict.fromkeys(each[:MAX_SUBJECT] for each in faces)
