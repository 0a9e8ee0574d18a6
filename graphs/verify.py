"""Compare a face of one photo with a face of another.

Both photos are sent to the detector together, and the other models run concurrently.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
            return usable_photo(found, pick)
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

    @classmethod
    def of(cls, examined: ExaminedPhoto, row: int) -> "ComparedFace":
        """Return the face whose outputs are in row `row` of `examined`, whose crops must have been kept."""
        one = slice(row, row + 1)
        assert examined.crops is not None
        readings = {role: reading[one] for role, reading in examined.readings.items()}
        return cls(examined.photo, examined.asked[row], readings, examined.crops[one])


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

    If several faces of a photo count (rule ``all``), the most similar pair, with one face of each photo, is compared.

    Args:
        others: other stages to run on the faces.

    Raises:
        RequestError: raised by `check`, before the models run; or a stage is not available.
        ValueError: a model's output is not finite.
    """

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        return every_face(number, check(number, found))

    examined = await faces(detector, pair, pick, [embedder, *others], select=select, keep_crops_of=embedder)
    first, second = (photo for photo in examined.photos if isinstance(photo, ExaminedPhoto))
    one, two = _most_similar(first.readings[embedder.role], second.readings[embedder.role])
    chosen = ComparedFace.of(first, one), ComparedFace.of(second, two)
    embeddings = np.concatenate([face.readings[embedder.role] for face in chosen])
    return Verification(chosen, embeddings, distances(*embeddings), examined.seconds)


def usable_photo(found: Photo | RequestError, pick: Pick) -> Photo:
    """Return a photo that was decoded and has a face that counts; raises `RequestError` for any other."""
    if isinstance(found, RequestError):
        raise found
    the_face(found, pick)
    return found


def _most_similar(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[int, int]:
    """Return the indices of the most similar pair of rows, one of each (faces, size) array. Rows have length 1."""
    similarities = first @ second.T
    one, two = np.unravel_index(int(similarities.argmax()), similarities.shape)
    return int(one), int(two)
