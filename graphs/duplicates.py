"""Find faces to enrol that resemble another subject of the collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gallery.operations import Gallery
from gallery.records import Hit, KnownStatus, NewFace
from gallery.unit_vectors import normalised
from project.request_error import RequestError

DuplicatePolicy = Literal["refuse", "report", "allow"]
"""refuse: a duplicate is not enrolled; report: it is enrolled and reported; allow: faces are not checked."""


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """When a face to enrol is a duplicate, and the consequence.

    Attributes:
        policy: consequence for a face that resembles another subject.
        threshold: minimum cosine similarity of a duplicate.
    """

    policy: DuplicatePolicy
    threshold: float


NO_CHECK = DuplicateRule("allow", 1.0)


async def duplicates(
    gallery: Gallery,
    collection: str,
    contract: str,
    faces: Sequence[NewFace],
    rule: DuplicateRule,
    *,
    replace: bool = False,
) -> list[Hit | None]:
    """Return the most similar face of another subject for each face to enrol, or None if none reaches the threshold.

    A face is compared with the collection and with the faces before it that will be enrolled. With the policy
    ``refuse``, a face that is already enrolled has no duplicate, so that an enrolment can be repeated.

    The check precedes the commit: of two concurrent enrolments, neither finds the other's faces.

    Args:
        replace: as in `gallery.writing.writer.Writer.enrol`.

    Raises:
        RequestError: as raised by `gallery.reading.reader.Reader.find`.
    """
    if rule.policy == "allow" or not faces:
        return [None] * len(faces)
    # Of the three subjects found, at most one is the face's own, and at most one is the subject that it moved to.
    found, hits = await gallery.find(collection, contract, [face.embedding for face in faces], 3)
    known: Sequence[KnownStatus | None] = [None] * len(faces)
    if rule.policy == "refuse":
        known = await gallery.enrolment_statuses(found, faces, again=replace)
    unit = np.stack([normalised(face.embedding, found.kind.size) for face in faces])
    cosines, numbers = unit @ unit.T, dict[str, int]()
    subjects = np.array([numbers.setdefault(face.subject, len(numbers)) for face in faces])
    enrolled, results = np.zeros(len(faces), bool), list[Hit | None]()
    for index, face in enumerate(faces):
        # A face that moved to another subject is no duplicate of itself, unless it is enrolled again.
        others = [hit for hit in hits[index] if hit.subject != face.subject and (replace or hit.face_id != face.id)]
        if (before := np.flatnonzero(enrolled & (subjects != subjects[index]))).size:
            nearest = before[cosines[index, before].argmax()]
            others.append(Hit(faces[nearest].subject, faces[nearest].id, float(cosines[index, nearest])))
        best = max(others, key=lambda hit: hit.cosine, default=None)
        results.append(best if best and best.cosine >= rule.threshold and known[index] is None else None)
        enrolled[index] = rule.policy == "report" or (results[index] is None and known[index] is None)
    return results


def duplicate_error(hit: Hit) -> RequestError:
    """Return the error for a face that resembles another subject. It does not name the subject."""
    return RequestError("DUPLICATE_FACE", f"The face resembles another subject: similarity {hit.cosine:.3f}")
