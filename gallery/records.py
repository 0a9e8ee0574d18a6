"""What the gallery takes and gives: frozen records, and the keys that stand for a client's texts."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imaging.refused import Refused

MAX_SUBJECT = 512
"""Characters of a subject's id."""
MOST_FACES = 20
"""Most faces of one photo that are enrolled where all of them count."""


@dataclass(frozen=True, slots=True)
class EmbeddingKind:
    """What makes embeddings comparable.

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
    """A named set of subjects whose embeddings are of one kind.

    Attributes:
        name: unique.
        kind: of its embeddings.
        threshold: least cosine similarity of a match in it; None for the card's own.
        created: when.
        table: of its faces.
    """

    name: str
    kind: EmbeddingKind
    threshold: float | None
    created: datetime
    table: str


@dataclass(frozen=True, slots=True, eq=False)
class NewFace:
    """A face to enrol.

    Attributes:
        subject: whose it is: text of 1 to 512 characters that can be written in UTF-8, one of them visible.
        source: what tells this face from others of the subject; the same one twice is the same face.
            The digest of the photo, where there is one.
        label: where it came from, for people: a file's name.
        embedding: float32 (size), finite and not zero; kept with length 1.
    """

    subject: str
    source: str
    label: str
    embedding: NDArray[np.float32]

    @property
    def id(self) -> str:
        """The face's own id: 32 hex digits of subject and source."""
        return digest(subject_key(self.subject), self.source)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of a face that was to be enrolled.

    Attributes:
        status: ``enrolled`` now; ``already`` there before; or ``deleted`` since the request was sent for
            the first time, which a repetition does not undo.
    """

    face_id: str
    subject: str
    status: Literal["enrolled", "already", "deleted"]


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face as it is listed."""

    face_id: str
    subject: str
    label: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject as it is listed: its faces, and when the first and the last of them was enrolled."""

    id: str
    faces: int
    first_enrolled: datetime
    last_enrolled: datetime


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a collection.

    Attributes:
        faces, subjects: how many.
        bytes: of its newest version, in files.
        changed: when it was last changed.
    """

    faces: int
    subjects: int
    bytes: int
    changed: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """A subject that resembles a probe.

    Attributes:
        subject: its id.
        face_id: of its most similar face.
        cosine: similarity to that face.
    """

    subject: str
    face_id: str
    cosine: float


def digest(*parts: str) -> str:
    """32 hex digits that stand for `parts`, and for no other texts in this order."""
    joined = b"".join(hashlib.sha256(part.encode()).digest() for part in parts)
    return hashlib.sha256(joined).hexdigest()[:32]


def photo_source(photo_digest: str, number: int | None = None) -> str:
    """The `source` of a photo's face: the photo's digest and, where every face of it is enrolled, the face's number."""
    return photo_digest if number is None else f"{photo_digest}:{number}"


def subject_key(subject: str) -> str:
    """32 hex digits that stand for a subject's id in filters, so that no client's text ever does.

    Raises:
        Refused: ``INVALID_SUBJECT``.
    """
    if not 1 <= len(subject) <= MAX_SUBJECT:
        raise Refused("INVALID_SUBJECT", f"A subject's id has 1 to {MAX_SUBJECT} characters")
    try:
        return digest(subject)
    except UnicodeEncodeError:
        raise Refused("INVALID_SUBJECT", "A subject's id is text that can be written in UTF-8") from None


def normalised(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """An embedding of a client with length 1.

    Raises:
        Refused: ``INVALID_EMBEDDING``: it has another size, is not finite, or is zero.
    """
    if values.shape != (size,):
        raise Refused("INVALID_EMBEDDING", f"The embedding has {values.size} numbers; the collection's have {size}")
    wide = values.astype(np.float64)
    length = float(np.linalg.norm(wide))
    if not 1e-6 < length < np.inf:
        raise Refused("INVALID_EMBEDDING", "The embedding is zero or not finite")
    return (wide / length).astype(np.float32)


def not_found(name: str) -> Refused:
    """The refusal of a collection that is not there."""
    return Refused("COLLECTION_NOT_FOUND", f"There is no collection called {name}")


def unreadable(name: str) -> Refused:
    """The refusal of a collection whose files are damaged or gone; the log says which and why."""
    return Refused("COLLECTION_UNREADABLE", f"The files of the collection {name} cannot be read")


def contract_mismatch(collection: Collection) -> Refused:
    """The refusal of embeddings that cannot be compared with those of `collection`."""
    return Refused(
        "EMBEDDING_CONTRACT_MISMATCH",
        f"The collection {collection.name} has embeddings of {collection.kind.model} (contract "
        f"{collection.kind.contract}), and these are of another network. After a change of network, `facegraph gallery "
        f"re-embed PHOTOS --from {collection.name} --to NEW` enrols its people anew",
    )
