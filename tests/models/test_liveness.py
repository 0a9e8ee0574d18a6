"""The default liveness network tells live faces from spoofs as well as when its card was written."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import CropNetwork, load_network
from models.store import Store
from tests.conftest import shared_faces

CRMNET = card("deep-tree")


@pytest.fixture(scope="module")
def score(store: Store) -> CropNetwork:
    return load_network(CRMNET, store, "onnx", Device(threads=2))


def best_faces(detect: PhotoDetector, photos: list[Path]) -> NDArray[np.uint8]:
    """The crop of the best face of each photo that has one."""
    (spec,) = CRMNET.crops
    return np.concatenate([detect([path.read_bytes()], [spec]).crops[spec][:1] for path in photos])


def test_a_live_face_and_a_replayed_photo_score_as_the_card_says(detect: PhotoDetector, score: CropNetwork) -> None:
    folder = shared_faces("liveness")
    live, spoof = score(best_faces(detect, [folder / "live_1.jpg", folder / "spoof_1.jpg"]))
    assert live >= 0.97
    assert spoof <= 0.015


@pytest.mark.parametrize("detect", ["mtcnn"], indirect=True)
def test_no_more_live_people_are_taken_for_spoofs_than_the_card_says(
    detect: PhotoDetector, score: CropNetwork, sample_photos: Path
) -> None:
    crops = best_faces(detect, sorted(sample_photos.glob("*/*.jpg")))
    assert len(crops) == 118
    scores = np.concatenate([score(batch) for batch in np.array_split(crops, 15)])
    # 58; rounding may move one that is just at the threshold.
    assert 50 <= np.count_nonzero(scores < CRMNET.threshold("live").value) <= 60
