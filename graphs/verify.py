"""The flow of every one-to-one comparison: two photos, one face of each, the same person or not.

Both photos travel in one call a stage, and liveness and embedding run side by side.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from graphs.compare import Distances, distances
from graphs.extract import detect, places, read
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from imaging.faces import Face, Photo, Pixels, Wanted
from imaging.refused import Refused

Choose = Callable[[int, Photo | Refused], int]
"""The index of the face that counts in the photo of this number (0 or 1); raises `Refused` for one without."""


def naming(names: tuple[str, str], pick: Callable[[Photo], int]) -> Choose:
    """`pick`, with refusals that begin with the photo's name."""

    def choose(number: int, found: Photo | Refused) -> int:
        try:
            if isinstance(found, Refused):
                raise found
            return pick(found)
        except Refused as refused:
            raise Refused(refused.code, f"{names[number]}: {refused.message}") from None

    return choose


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
        detection_seconds: time that the detector took for both photos.
        seconds: time that liveness and embedding took together.
    """

    photos: tuple[Photo, Photo]
    faces: tuple[Face, Face]
    live: tuple[float, ...]
    embeddings: NDArray[np.float32]
    crops: Pixels
    distances: Distances
    detection_seconds: float
    seconds: float


async def verify(
    detector: DetectorStage,
    liveness: LivenessStage | None,
    embedder: EmbedderStage,
    pair: tuple[bytes, bytes],
    choose: Choose,
    wanted: Wanted = "all",
) -> Verification:
    """Compare a face of one encoded photo with a face of another, each chosen from the `wanted` ones.

    Raises:
        Refused: as `choose` raises it, before any network but the detector is asked.
        ValueError: a network gave what is no number.
    """
    started = time.perf_counter()
    detection = await detect(detector, pair, liveness, embedder, wanted=wanted)
    detection_seconds = time.perf_counter() - started
    chosen = [choose(number, photo) for number, photo in enumerate(detection.photos)]
    photos = cast(tuple[Photo, Photo], detection.photos)
    rows = [place[index] for place, index in zip(places(detection), chosen, strict=True)]
    readings = await read(detection, rows, liveness, embedder)
    embeddings = cast(NDArray[np.float32], readings.embeddings)
    return Verification(
        photos,
        (photos[0].faces[chosen[0]], photos[1].faces[chosen[1]]),
        () if readings.live is None else tuple(readings.live.tolist()),
        embeddings,
        cast(Pixels, readings.crops),
        distances(*embeddings),
        detection_seconds,
        readings.seconds,
    )
