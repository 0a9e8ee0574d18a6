"""The flow of every one-to-one comparison: two photos, one face of each, the same person or not.

Both photos travel in one call a stage, and liveness and embedding run side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from graphs.compare import Distances, distances
from graphs.extract import detect, read, the_face
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from imaging.faces import Face, Photo, Pixels
from imaging.pick import Pick
from imaging.refused import Refused

Check = Callable[[int, Photo | Refused], Photo]
"""The photo of this number (0 or 1), if it can be compared; raises `Refused` if it cannot."""


def naming(names: tuple[str, str], pick: Pick) -> Check:
    """Check that a photo can be read and has a face that counts; refusals begin with the photo's name."""

    def check(number: int, found: Photo | Refused) -> Photo:
        try:
            if isinstance(found, Refused):
                raise found
            the_face(found, pick)
        except Refused as refused:
            raise Refused(refused.code, f"{names[number]}: {refused.message}") from None
        return found

    return check


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """What was found.

    Attributes:
        photos: the two photos.
        faces: the face of each that was compared.
        live: live probability of each face; empty where liveness was not asked.
        embeddings: float32 (2, size).
        crops: uint8 (2, side, side, 3) RGB, as in `graphs.extract.Readings`.
        distances: between the two embeddings.
        seconds: time that liveness and embedding took together.
    """

    photos: tuple[Photo, Photo]
    faces: tuple[Face, Face]
    live: tuple[float, ...]
    embeddings: NDArray[np.float32]
    crops: Pixels
    distances: Distances
    seconds: float


async def verify(
    detector: DetectorStage,
    liveness: LivenessStage | None,
    embedder: EmbedderStage,
    pair: tuple[bytes, bytes],
    pick: Pick,
    check: Check,
) -> Verification:
    """Compare a face of one encoded photo with a face of another.

    Where several faces of a photo count (rule ``all``), the two that are most alike are compared.

    Raises:
        Refused: as `check` raises it, before any network but the detector is asked.
        ValueError: a network gave what is no number.
    """
    detection = await detect(detector, pair, pick, liveness, embedder)
    first, second = (check(number, photo) for number, photo in enumerate(detection.photos))
    rows = range(len(first.faces) + len(second.faces))
    readings = await read(detection, rows, liveness, embedder)
    embeddings = cast(NDArray[np.float32], readings.embeddings)
    one, two = _most_alike(embeddings, len(first.faces))
    chosen = [one, len(first.faces) + two]
    return Verification(
        (first, second),
        (first.faces[one], second.faces[two]),
        () if readings.live is None else tuple(readings.live[chosen].tolist()),
        embeddings[chosen],
        cast(Pixels, readings.crops)[chosen],
        distances(*embeddings[chosen]),
        readings.seconds,
    )


def _most_alike(embeddings: NDArray[np.float32], of_first: int) -> tuple[int, int]:
    """The two faces, one of each photo, with the greatest cosine similarity.

    Args:
        embeddings: float32 (faces, size) of length 1, the first `of_first` rows of the first photo.
    """
    similarities = embeddings[:of_first] @ embeddings[of_first:].T
    one, two = np.unravel_index(int(similarities.argmax()), similarities.shape)
    return int(one), int(two)
