"""Records of the gallery, and keys that stand for clients' texts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from project.request_error import RequestError

COLLECTION_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Pattern of a collection's name, for `re.fullmatch`."""
COLLECTION_NAME_RULE = "1 to 64 ASCII letters, digits, '.', '_' and '-', with a letter or digit first"
"""`COLLECTION_NAME` in words."""
MAX_SUBJECT = 512
"""Maximum length of a subject's id, in characters."""
MAX_FACES_PER_PHOTO = 20
"""Maximum number of faces enrolled from one photo when all its faces are enrolled."""
Metadata = dict[str, Any]
"""A JSON object, within the bounds of `gallery.metadata_format`."""


@dataclass(frozen=True, slots=True)
class EmbeddingKind:
    """Identifies embeddings that can be compared with each other.

    Attributes:
        embedder: role of the embedder's stage.
        model: name of its card.
        contract: the card's embedding contract.
        size: length of an embedding.
    """

    embedder: str
    model: str
    contract: str
    size: int


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of subjects with embeddings of one kind.

    Attributes:
        name: unique name.
        kind: kind of its embeddings.
        threshold: minimum cosine similarity of a match; None for the card's threshold.
        created: time of creation.
        table: name of the table with its faces.
    """

    name: str
    kind: EmbeddingKind
    threshold: float | None
    created: datetime
    table: str


@dataclass(frozen=True, slots=True)
class FacePlace:
    """Where a face was found.

    Attributes:
        photo: 32 hex digits that identify the photo.
        box: left, top, width and height, as fractions of the photo's width and height.
        score: the detector's confidence, 0 to 1.
    """

    photo: str
    box: tuple[float, float, float, float]
    score: float

    @property
    def text(self) -> str:
        """The place as it is stored, with numbers rounded to six decimals."""
        return json.dumps([self.photo, *(round(number, 6) for number in (*self.box, self.score))])

    @classmethod
    def of(cls, text: str | None) -> "FacePlace | None":
        """Return the place with this `text`; None if there is none."""
        if text is None:
            return None
        photo, left, top, width, height, score = json.loads(text)
        return cls(photo, (left, top, width, height), score)


@dataclass(frozen=True, slots=True, eq=False)
class NewFace:
    """A face to enrol.

    Attributes:
        subject: id of the subject, 1 to 512 characters that UTF-8 can encode, at least one of them visible.
        source: distinguishes the faces of a subject; usually derived from the photo's digest, see `photo_source`.
        label: where the face came from, for people, e.g. a file name.
        embedding: float32 (size), finite and not zero. It is stored with length 1.
        place: where it was found, if that is to be stored.
    """

    subject: str
    source: str
    label: str
    embedding: NDArray[np.float32]
    place: FacePlace | None = None

    @property
    def id(self) -> str:
        """The face's id: 32 hex digits, derived from subject and source. A renamed subject's faces keep their ids."""
        return face_id(subject_key(self.subject), self.source)

    @property
    def source_number(self) -> int:
        """A digest of the source that fits into 64 bits, used to recognise faces whose subject was renamed."""
        return source_number(self.source)


KnownStatus = Literal["already", "moved"]
"""The status of a face that a collection contains: under its subject, or under another after a rename or a merge."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The result of enrolling a face.

    Attributes:
        status: ``enrolled`` by this request; ``already`` enrolled before; ``moved`` to another subject by a rename or
            a merge; or ``deleted`` since this request was first sent. Repeating a request does not restore deleted
            faces.
    """

    face_id: str
    subject: str
    status: Literal["enrolled", "already", "moved", "deleted"]


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face in a listing. `place` is None if it was not stored."""

    face_id: str
    subject: str
    label: str
    created: datetime
    place: FacePlace | None = None


@dataclass(frozen=True, slots=True)
class Reassignment:
    """The present subject of a face, and its new subject."""

    present: str
    new: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A response to store, so that a repeated request gets it again.

    Attributes:
        request: the token, and the digest of the request.
        answer: the response, in JSON.
    """

    request: tuple[str, str]
    answer: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject in a listing, with the number of its faces and the times of its first and last enrolment."""

    id: str
    faces: int
    first_enrolled: datetime
    last_enrolled: datetime


@dataclass(frozen=True, slots=True)
class Statistics:
    """The size of a collection.

    Attributes:
        faces, subjects: their numbers.
        bytes: size of the files of its newest version.
        changed: time of the last enrolment or deletion, or of the collection's creation.
    """

    faces: int
    subjects: int
    bytes: int
    changed: datetime


@dataclass(frozen=True, slots=True)
class IndexHealth:
    """The state of a model's collections that are searched with an index.

    Attributes:
        model: name of the model.
        collections, faces: their numbers.
        unindexed: number of faces that are not in an index yet. Searches compare the probe with each of them.
        recall: lowest share of the nearest faces that searches find, as last measured; None before a measurement.
    """

    model: str
    collections: int
    faces: int
    unindexed: int
    recall: float | None

    def __add__(self, other: "IndexHealth") -> "IndexHealth":
        measured = [each for each in (self.recall, other.recall) if each is not None]
        return IndexHealth(
            self.model,
            self.collections + other.collections,
            self.faces + other.faces,
            self.unindexed + other.unindexed,
            min(measured, default=None),
        )


@dataclass(frozen=True, slots=True)
class ReaderReport:
    """What a reader found at its last check.

    Attributes:
        unreadable: names of the collections that could not be read.
        indexes: the state of the indexes by model.
    """

    unreadable: Sequence[str] = ()
    indexes: Sequence[IndexHealth] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A subject found by a search.

    Attributes:
        subject: the subject's id.
        face_id: id of the subject's most similar face.
        cosine: cosine similarity of that face to the probe.
        metadata: the subject's metadata; None if it has none.
    """

    subject: str
    face_id: str
    cosine: float
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True)
class FaceHit:
    """A face found by a search for faces, with its cosine similarity to the probe."""

    face: StoredFace
    cosine: float


def digest(*parts: str) -> str:
    """Return 32 hex digits that identify this sequence of texts."""
    # A list is faster than a generator, and an import computes several of these per face.
    joined = b"".join([hashlib.sha256(part.encode()).digest() for part in parts])
    return hashlib.sha256(joined).hexdigest()[:32]


def face_id(key: str, source: str) -> str:
    """Return the id of a new face; see `NewFace`.

    Args:
        key: the subject's key.
    """
    return digest(key, source)


def source_number(source: str) -> int:
    """Return a digest of the source of a face that fits into 64 bits."""
    return int(digest(source)[:16], 16) - 2**63


def photo_source(photo_digest: str, number: int | None = None) -> str:
    """Return the `source` of a face from a photo.

    Args:
        photo_digest: digest of the photo.
        number: index of the face if every face of the photo is enrolled.
    """
    return photo_digest if number is None else f"{photo_digest}:{number}"


def subject_key(subject: str) -> str:
    """Return 32 hex digits that identify a subject in filters, where a client's text must never appear.

    Raises:
        RequestError: ``INVALID_SUBJECT``.
    """
    if not 1 <= len(subject) <= MAX_SUBJECT:
        raise RequestError("INVALID_SUBJECT", f"Subject id must have 1 to {MAX_SUBJECT} characters")
    try:
        return digest(subject)
    except UnicodeEncodeError:
        raise RequestError("INVALID_SUBJECT", "Subject id must be encodable as UTF-8") from None
