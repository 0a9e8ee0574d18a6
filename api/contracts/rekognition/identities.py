"""Conversion between the ids of AWS and those of the gallery.

A FaceId is the id of a face, written as a UUID. A user is a subject. A face without a user is the only face of a
subject whose id begins with `LONE_PREFIX`, so that the other APIs find it too.
"""

import re
from typing import Any
from uuid import UUID

from gallery.errors import subject_not_found
from gallery.records import Collection, FacePlace, StoredFace

LONE_PREFIX = "face:"
LONE_SUBJECT = f"{LONE_PREFIX}[0-9a-f]{{32}}"
"""Regular expression of the subject of a face without a user."""


def uuid_of(hex_digits: str) -> str:
    """Write 32 hex digits as a UUID."""
    return str(UUID(hex_digits))


def face_id_of(uuid: str) -> str:
    """Return the id of the face with this FaceId."""
    return uuid.replace("-", "")


def lone_subject(hex_digits: str) -> str:
    """Return the id of the subject for a face without a user, given the 32 hex digits that identify it."""
    return LONE_PREFIX + hex_digits


def user_of(subject: str) -> str | None:
    """Return the UserId of a subject; None if the subject is a face without a user."""
    return None if re.fullmatch(LONE_SUBJECT, subject) else subject


def refuse_lone(user: str) -> None:
    """Check that an id is not that of a face without a user.

    Raises:
        RequestError: ``SUBJECT_NOT_FOUND``.
    """
    if user_of(user) is None:
        raise subject_not_found()


def model_version(collection: Collection) -> str:
    """Return the FaceModelVersion of a collection: only faces with the same version can be compared."""
    return f"{collection.kind.model}-{collection.kind.contract}"


def stored_face(collection: Collection, face: StoredFace) -> dict[str, Any]:
    """Describe a face of a collection."""
    return described_face(collection, face.face_id, face.label, face.place) | (
        {"UserId": user} if (user := user_of(face.subject)) else {}
    )


def described_face(collection: Collection, face_id: str, label: str, place: FacePlace | None) -> dict[str, Any]:
    """Describe a face, but not its user. Only faces that this API has indexed have a place."""
    described: dict[str, Any] = {"FaceId": uuid_of(face_id), "IndexFacesModelVersion": model_version(collection)}
    if label:
        described["ExternalImageId"] = label
    if place:
        left, top, width, height = place.box
        described["BoundingBox"] = {"Width": width, "Height": height, "Left": left, "Top": top}
        described |= {"ImageId": uuid_of(place.photo), "Confidence": 100 * place.score}
    return described


def refused_face(face_id: str, reason: str, user: str | None = None) -> dict[str, Any]:
    """Describe a face that was not changed, with AWS's reason, and its `user` if that is the reason."""
    return {"FaceId": uuid_of(face_id), "Reasons": [reason], **({"UserId": user} if user else {})}
