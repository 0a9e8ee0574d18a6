"""How ids of AWS and those of the gallery correspond.

A FaceId is the id of a face, written as a UUID. A user is a subject. A face without a user is the only face of a
subject whose id begins with `LONE_PREFIX`, so that the other APIs find it too.
"""

import hashlib
import re
from uuid import UUID

from gallery.records import Collection, StoredFace, digest

LONE_PREFIX = "face:"
FIRST_LONE, LAST_LONE = f"{LONE_PREFIX}{'0' * 32}", f"{LONE_PREFIX}{'f' * 32}"
"""The first and the last id that the subject of a face without a user can have."""

_LONE = re.compile(f"{LONE_PREFIX}[0-9a-f]{{32}}")


def uuid_of(digest: str) -> str:
    """Write 32 hex digits as a UUID."""
    return str(UUID(digest))


def face_id_of(uuid: str) -> str:
    """Return the id of the face with this FaceId."""
    return uuid.replace("-", "")


def image_id_of(photo: bytes) -> str:
    """Return the ImageId of an encoded photo."""
    return uuid_of(hashlib.sha256(photo).hexdigest()[:32])


def lone_subject(*parts: str) -> str:
    """Return the subject of a face without a user. The same `parts` identify the same face."""
    return LONE_PREFIX + digest(*parts)


def user_of(subject: str) -> str | None:
    """Return the user that a subject is; None if the subject is a face without a user."""
    return None if _LONE.fullmatch(subject) else subject


def model_version(collection: Collection) -> str:
    """Return the FaceModelVersion of a collection: only faces of the same one can be compared."""
    return f"{collection.kind.model}-{collection.kind.contract}"


def stored_face(face: StoredFace) -> dict[str, str]:
    """Describe a face of a collection."""
    described = {"FaceId": uuid_of(face.face_id)}
    if face.label:
        described["ExternalImageId"] = face.label
    if user := user_of(face.subject):
        described["UserId"] = user
    return described
