"""Compare a photo with the faces of one enrolled subject."""

from collections.abc import Sequence
from dataclasses import dataclass

from gallery.operations import Gallery
from gallery.records import Collection, Hit
from graphs.faces import ExaminedPhoto, faces_of, the_face
from graphs.stages import DetectorStage, FaceStage
from imaging.pick import Pick


@dataclass(frozen=True, slots=True)
class SubjectVerification:
    """Result of comparing a photo with a subject.

    Attributes:
        row: index of the compared face in `photo.asked`.
        hit: the subject's most similar face.
        seconds: time spent waiting for the models, which run concurrently.
    """

    photo: ExaminedPhoto
    row: int
    hit: Hit
    collection: Collection
    seconds: float


async def verify_subject(
    detector: DetectorStage,
    embedder: FaceStage,
    others: Sequence[FaceStage],
    gallery: Gallery,
    collection: str,
    subject: str,
    photo: bytes,
    pick: Pick,
) -> SubjectVerification:
    """Compare a face of an encoded photo with all faces of an enrolled subject.

    If several faces of the photo count (rule ``all``), the most similar one is compared.

    Args:
        others: other stages to run on the faces.

    Raises:
        RequestError: raised by `faces_of` or `gallery.reading.reader.Reader.closest_faces`; or ``NO_FACE_DETECTED``.
        ValueError: a model's output is not finite.
    """
    examined, seconds = await faces_of(detector, photo, pick, [embedder, *others], embedder)
    the_face(examined.photo, pick)
    contract, probes = embedder.card.embedding_contract, list(examined.readings[embedder.role])
    found, hits = await gallery.closest_faces(collection, contract, subject, probes)
    row = max(range(len(hits)), key=lambda each: hits[each].cosine)
    return SubjectVerification(examined, row, hits[row], found, seconds)
