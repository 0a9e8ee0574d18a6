"""What the networks run on: sample photos and crops of their faces, or noise."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from imaging.crops import CropSpec
from imaging.decode import Limits
from imaging.faces import Pixels
from imaging.pick import Pick
from load_tests.gpu.runtimes import Runtime
from load_tests.photos import GOOD_SAMPLES, enlarged, samples
from models.catalogue import card
from models.detection import PhotoDetector
from models.engines import load_detector
from models.errors import ModelError
from models.store import Store

DETECTOR_NAME, PICK = "mtcnn", Pick("prominent")
"""Card of the detector that finds the faces, and the rule that picks one in each photo."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoSample:
    """Photos and crops.

    Attributes:
        source: where they come from.
        photos: JPEG files.
        crops: by spec, uint8 (n, size, size, 3).
    """

    source: str
    photos: Sequence[bytes]
    crops: dict[CropSpec, Pixels]


def read_photo_sample(store: Store, runtime: Runtime, specs: Collection[CropSpec]) -> PhotoSample:
    """Cut crops out of the sample photos. Without photos or a detector, crops are noise, and there are no photos."""
    try:
        photos = [enlarged(path) for path in samples(*GOOD_SAMPLES)]
        detector = load_detector(card(DETECTOR_NAME), store, runtime.engine, runtime.device, {})
    except (ValueError, ModelError, ImportError) as problem:
        random = np.random.default_rng(0)
        noise = {spec: random.integers(0, 256, (8, spec.size, spec.size, 3), np.uint8) for spec in specs}
        return PhotoSample(f"noise, because {problem}", [], noise)
    found = PhotoDetector(detector, Limits())(photos, tuple(specs), PICK)
    return PhotoSample(f"{len(photos)} sample photos", photos, found.crops)
