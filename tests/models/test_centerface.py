"""CenterFace: decoding of made-up maps, scaling and padding of photos, and faces in real ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evaluation.detection import measure_detection, read_photos
from imaging.decode import Limits
from imaging.faces import Pixels
from models.detection import PhotoDetector
from models.detectors.centerface import CELL, STEP, CenterFace, Maps
from models.device import Device
from models.engines import load_detector
from models.store import Store
from tests.conftest import pulled, shared

LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], dtype=np.float32)
"""x and y as shares of the box."""


class Drawn:
    """A network that sees the same faces in every photo, each as left, top, width, height and score."""

    def __init__(self, *faces: tuple[float, float, float, float, float]) -> None:
        self.faces = faces

    def __call__(self, photos: Pixels) -> Maps:
        [self.seen] = photos
        height, width = self.seen.shape[0] // CELL, self.seen.shape[1] // CELL
        maps = tuple(np.zeros((1, channels, height, width), np.float32) for channels in (1, 2, 2, 10))
        for left, top, box_width, box_height, score in self.faces:
            x, y = (left + box_width / 2) / CELL, (top + box_height / 2) / CELL
            row, column = int(y), int(x)
            size, offset = np.log([box_height / CELL, box_width / CELL]), (y - row - 0.5, x - column - 0.5)
            for each, values in zip(maps, (score, size, offset, LANDMARKS[:, ::-1].ravel()), strict=True):
                each[0, :, row, column] = values
        return maps


def grey(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 128, dtype=np.uint8)


centres = st.tuples(st.floats(1, 600), st.floats(1, 400))
sides = st.tuples(st.floats(5, 500), st.floats(5, 500))


@given(centres, sides, st.floats(0.5, 1, width=32))
def test_maps_are_decoded_to_the_face_they_encode(
    centre: tuple[float, float], size: tuple[float, float], score: float
) -> None:
    corner = np.subtract(centre, np.divide(size, 2))
    [face] = CenterFace(Drawn((*corner, *size, score))).detect(grey(416, 608))
    np.testing.assert_allclose(face.box, [*corner, *(corner + size)], atol=1e-2)
    np.testing.assert_allclose(face.landmarks, corner + LANDMARKS * np.array(size), atol=1e-2)
    assert face.landmarks.dtype == np.float32
    assert face.score == score


@given(st.integers(1, 1500), st.integers(1, 1500), st.sampled_from([64, 100, 640]), st.booleans())
def test_a_photo_is_scaled_down_and_padded_below_and_on_the_right(
    height: int, width: int, side: int, square: bool
) -> None:
    network = Drawn((4, 8, 12, 16, 0.9))
    faces = CenterFace(network, side=side, square=square).detect(grey(height, width))
    canvas = network.seen
    bottom, right = (int(np.count_nonzero(canvas.any(axis=(1 - axis, 2)))) for axis in (0, 1))
    assert max(bottom, right) == min(side, max(height, width))
    assert (canvas[:bottom, :right] == 128).all()
    assert (canvas[bottom:] == 0).all()
    assert (canvas[:, right:] == 0).all()
    least = [side] * 2 if square else [bottom, right]
    assert canvas.shape == (*(-(-length // STEP) * STEP for length in least), 3)
    for face in faces:
        scale = min(1, side / max(height, width))
        np.testing.assert_allclose(face.box, np.divide([4, 8, 16, 24], scale), rtol=1e-4)


def test_overlapping_boxes_are_suppressed() -> None:
    one, near, far = (100, 100, 80, 80, 0.7), (116, 100, 80, 80, 0.9), (260, 100, 80, 80, 0.6)
    faces = CenterFace(Drawn(one, near, far)).detect(grey(320, 640))
    assert [round(face.score, 3) for face in faces] == [0.9, 0.6]
    assert len(CenterFace(Drawn(one, near, far), overlap=0.7).detect(grey(320, 640))) == 3


def test_faces_below_the_least_score_are_dropped() -> None:
    drawn, photo = Drawn((100, 100, 80, 80, 0.5), (300, 100, 80, 80, 0.25)), grey(320, 640)
    assert [len(CenterFace(drawn, least_score=least).detect(photo)) for least in (0.25, 0.5, 0.75)] == [2, 1, 0]


def test_crowds_and_masks_are_found(store: Store) -> None:
    """Measured on every eighth photo. On all photos, 85 % of the faces are found."""
    detector = load_detector(pulled("centerface"), store, "onnx", Device(), {})
    found = measure_detection(read_photos(shared("faces/crowds"))[::8], PhotoDetector(detector, Limits())).found
    assert found["all"].of > 50
    assert found["all"].estimate.value > 0.8
    assert found["mask worn"].estimate.value > 0.8
