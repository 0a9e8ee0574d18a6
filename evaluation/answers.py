"""The outputs of models for one face per photo."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphs.faces import ExaminedPhoto, faces
from graphs.stages import DetectorStage, FaceStage
from imaging.pick import PROMINENT
from models.errors import ModelError
from project.request_error import RequestError

Answers = NDArray[np.float64]
"""One row per photo: an embedding (photos, size), or a live probability (photos, 1). NaN for a photo without a face."""


def examine(
    photos: Iterable[Path], detector: DetectorStage, networks: Sequence[FaceStage]
) -> list[ExaminedPhoto | RequestError]:
    """Run `networks` on the prominent face of each photo, one photo at a time.

    Returns:
        For each photo, the result, or the error with which the service would reject it.

    Raises:
        ModelError: a photo cannot be read.
    """

    async def examined() -> list[ExaminedPhoto | RequestError]:
        return [(await faces(detector, [_read(photo)], PROMINENT, networks)).photos[0] for photo in photos]

    return asyncio.run(examined())


def answers(photos: Iterable[Path], detector: DetectorStage, network: FaceStage) -> Answers:
    """Run `network` on the prominent face of each photo.

    A photo that cannot be decoded counts as a photo without a face, because the service would reject it.

    Raises:
        ModelError: a photo cannot be read, or no photo has a face.
    """
    found = [_answer(each, network.role) for each in examine(photos, detector, [network])]
    some = next((each for each in found if each is not None), None)
    if some is None:
        raise ModelError("no face was found in any photo")
    missing = np.full_like(some, np.nan)
    return np.stack([missing if each is None else each for each in found])


def _answer(examined: ExaminedPhoto | RequestError, role: str) -> NDArray[np.float64] | None:
    if isinstance(examined, RequestError) or not examined.asked:
        return None
    return np.atleast_1d(examined.readings[role][0]).astype(np.float64)


def _read(photo: Path) -> bytes:
    try:
        return photo.read_bytes()
    except OSError as error:
        raise ModelError(f"the photo {photo} cannot be read: {error}") from error
