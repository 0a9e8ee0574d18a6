"""Compare a face of one photo with a face of another, or of each of several others.

Photos are sent to the detector together, and the other models run concurrently.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphs.compare import Distances, distances
from graphs.faces import ExaminedPhoto, Readings, every_face, faces, the_face
from graphs.stages import DetectorStage, FaceStage
from imaging.faces import Photo, Pixels
from imaging.pick import Pick
from project.request_error import RequestError

Check = Callable[[int, Photo | RequestError], Photo]
"""Returns the photo with this index (0 or 1) if it can be compared; raises `RequestError` if it cannot."""


def naming(names: Sequence[str], pick: Pick) -> Check:
    """Return a check that a photo can be decoded and has a face that counts. Errors start with the photo's name."""

    def check(number: int, found: Photo | RequestError) -> Photo:
        try:
            return _usable(found, pick)
        except RequestError as refused:
            raise RequestError(refused.code, f"{names[number]}: {refused.message}") from None

    return check


@dataclass(frozen=True, slots=True, eq=False)
class ComparedFace:
    """The face of one photo that was compared.

    Attributes:
        index: index of the face in `photo`.
        readings: outputs for this face, (1, *shape) each.
        crop: uint8 (1, size, size, 3) RGB, the embedder's input.
    """

    photo: Photo
    index: int
    readings: Readings
    crop: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """Result of a comparison.

    Attributes:
        faces: the compared faces, one of each photo.
        embeddings: float32 (2, size), their embeddings.
        distances: similarity and distances of the two embeddings.
        seconds: time spent waiting for the models, which run concurrently.
    """

    faces: tuple[ComparedFace, ComparedFace]
    embeddings: NDArray[np.float32]
    distances: Distances
    seconds: float


async def verify(
    detector: DetectorStage,
    embedder: FaceStage,
    others: Sequence[FaceStage],
    pair: tuple[bytes, bytes],
    pick: Pick,
    check: Check,
) -> Verification:
    """Compare a face of one encoded photo with a face of another.

    If several faces of a photo count (rule ``all``), the two most similar ones are compared.

    Args:
        others: other stages to run on the faces.

    Raises:
        RequestError: raised by `check` before the models run, or a stage is not available.
        ValueError: a model's output is not finite.
    """

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        return every_face(number, check(number, found))

    examined = await faces(detector, pair, pick, [embedder, *others], select=select, keep_crops_of=embedder)
    first, second = (photo for photo in examined.photos if isinstance(photo, ExaminedPhoto))
    one, two = _most_similar(first.readings[embedder.role], second.readings[embedder.role])
    chosen = _compared(first, one), _compared(second, two)
    embeddings = np.concatenate([face.readings[embedder.role] for face in chosen])
    return Verification(chosen, embeddings, distances(*embeddings), examined.seconds)


@dataclass(frozen=True, slots=True, eq=False)
class PhotoComparison:
    """The face of one photo that was compared with the reference."""

    face: ComparedFace
    distances: Distances


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceComparison:
    """Result of comparing a reference with several photos.

    Attributes:
        photos: one entry per photo, in order; a `RequestError` if the photo cannot be compared.
        seconds: time spent waiting for the models, which run concurrently.
    """

    reference: ComparedFace
    photos: Sequence[PhotoComparison | RequestError]
    seconds: float


async def verify_many(
    detector: DetectorStage,
    embedder: FaceStage,
    others: Sequence[FaceStage],
    reference: bytes,
    photos: Sequence[bytes],
    pick: Pick,
) -> ReferenceComparison:
    """Compare a face of the encoded photo `reference` with a face of each of `photos`.

    With the rule ``all``, the reference's prominent face is compared with the most similar face of each photo.

    Args:
        others: other stages to run on the faces.

    Raises:
        RequestError: the reference cannot be compared, or a stage is not available.
        ValueError: a model's output is not finite.
    """
    networks, refused = [embedder, *others], dict[int, RequestError]()
    one = replace(pick, rule="prominent") if pick.rule == "all" else pick
    check = naming(["reference"], one)

    def select_reference(number: int, found: Photo | RequestError) -> Sequence[int]:
        return every_face(number, check(number, found))

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        try:
            return every_face(number, _usable(found, pick))
        except RequestError as error:
            refused[number] = error
            return ()

    # First, so that no other photo is examined if it cannot be compared.
    known = await faces(detector, [reference], one, networks, select=select_reference, keep_crops_of=embedder)
    examined = await faces(detector, photos, pick, networks, select=select, keep_crops_of=embedder)
    [first] = (photo for photo in known.photos if isinstance(photo, ExaminedPhoto))
    [embedding] = first.readings[embedder.role]

    def compared(number: int, photo: ExaminedPhoto | RequestError) -> PhotoComparison | RequestError:
        if isinstance(photo, RequestError) or number in refused:
            return refused[number]
        found = photo.readings[embedder.role]
        face = int((found @ embedding).argmax())
        return PhotoComparison(_compared(photo, face), distances(embedding, found[face]))

    results = [compared(number, photo) for number, photo in enumerate(examined.photos)]
    return ReferenceComparison(_compared(first, 0), results, known.seconds + examined.seconds)


def _usable(found: Photo | RequestError, pick: Pick) -> Photo:
    """Return a photo that was decoded and has a face that counts; raises `RequestError` for any other."""
    if isinstance(found, RequestError):
        raise found
    the_face(found, pick)
    return found


def _compared(examined: ExaminedPhoto, face: int) -> ComparedFace:
    one = slice(face, face + 1)
    assert examined.crops is not None
    readings = {role: reading[one] for role, reading in examined.readings.items()}
    return ComparedFace(examined.photo, face, readings, examined.crops[one])


def _most_similar(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[int, int]:
    """Return the indices of the two most similar rows of two (faces, size) arrays, whose rows have length 1."""
    similarities = first @ second.T
    one, two = np.unravel_index(int(similarities.argmax()), similarities.shape)
    return int(one), int(two)
