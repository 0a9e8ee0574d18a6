"""The answers of a network for one face per photo."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imaging.crops import CropSpec
from imaging.faces import Photo
from imaging.pick import PROMINENT
from models.detection import PhotoDetector
from models.engines import CropNetwork
from models.errors import ModelError

Answers = NDArray[np.float64]
"""One row per photo: an embedding (photos, size), or a live probability (photos, 1). NaN for a photo without a face."""


def answers(photos: Iterable[Path], detect: PhotoDetector, network: CropNetwork, crops: Sequence[CropSpec]) -> Answers:
    """Run `network` on the prominent face of each photo.

    A photo that cannot be decoded counts as a photo without a face, because the service would refuse it.

    Raises:
        ModelError: a photo cannot be read, or no photo has a face.
    """
    found = [_answer(photo, detect, network, crops) for photo in photos]
    some = next((each for each in found if each is not None), None)
    if some is None:
        raise ModelError("no face was found on any photo")
    missing = np.full_like(some, np.nan)
    return np.stack([missing if each is None else each for each in found])


def _answer(
    photo: Path, detect: PhotoDetector, network: CropNetwork, crops: Sequence[CropSpec]
) -> NDArray[np.float64] | None:
    try:
        data = photo.read_bytes()
    except OSError as error:
        raise ModelError(f"the photo {photo} cannot be read: {error}") from error
    detection = detect([data], crops, PROMINENT)
    found = detection.photos[0]
    if not isinstance(found, Photo) or not found.faces:
        return None
    return np.atleast_1d(network(*(detection.crops[spec] for spec in crops))[0]).astype(np.float64)
