"""CenterFace: decoding of made-up maps, scaling and padding of photos, and faces in real ones."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.detection import measure_detection, read_photos
from imaging.decode import Limits, decode
from imaging.faces import Face, Pixels
from models.detection import PhotoDetector
from models.detectors.centerface import CELL, STEP, CenterFace, Maps
from models.device import Device
from models.engines import load_detector
from models.store import Store
from tests.conftest import photo, pulled, shared_faces

LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], dtype=np.float32)
"""x and y as shares of the box."""


class Drawn:
    """A network that sees the same faces in every photo, each as left, top, width, height and score."""

    def __init__(self, *faces: tuple[float, float, float, float, float]) -> None:
        self.faces = faces
        self.seen: list[Pixels] = []

    def __call__(self, photos: Pixels) -> Maps:
        self.seen.append(photos)
        count, height, width = photos.shape[0], photos.shape[1] // CELL, photos.shape[2] // CELL
        scores, sizes, offsets, landmarks = (
            np.zeros((count, channels, height, width), np.float32) for channels in (1, 2, 2, 10)
        )
        for left, top, box_width, box_height, score in self.faces:
            x, y = (left + box_width / 2) / CELL, (top + box_height / 2) / CELL
            row, column = int(y), int(x)
            scores[:, 0, row, column] = score
            sizes[:, :, row, column] = np.log([box_height / CELL, box_width / CELL])
            offsets[:, :, row, column] = y - row - 0.5, x - column - 0.5
            landmarks[:, :, row, column] = LANDMARKS[:, ::-1].ravel()
        return scores, sizes, offsets, landmarks


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
    [[canvas]] = network.seen
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


def same(some: list[Face], others: list[Face], within: float) -> bool:
    """Whether boxes and landmarks are the same, within a share of the box's width."""
    return len(some) == len(others) and all(
        np.allclose(one.box, other.box, atol=within * (one.box[2] - one.box[0]))
        and np.allclose(one.landmarks, other.landmarks, atol=within * (one.box[2] - one.box[0]))
        for one, other in zip(some, others, strict=True)
    )


@pytest.fixture(scope="module")
def detectors(store: Store) -> tuple[CenterFace, CenterFace]:
    """One that pads as little as possible, and one that pads to a square."""
    entry = pulled("centerface")
    found = [load_detector(entry, store, "onnx", Device(), {"square": square}) for square in (False, True)]
    assert all(isinstance(each, CenterFace) for each in found)
    return found[0], found[1]  # type: ignore[return-value]


def test_a_batch_and_a_square_give_each_photo_the_same_faces(
    detectors: tuple[CenterFace, CenterFace], sample_photos: Path
) -> None:
    people = ("madonna", "ben_afflek", "mindy_kaling")
    photos = [decode(photo(sample_photos, person, ".jpg"), Limits()).pixels for person in people]
    photos += [np.ascontiguousarray(photos[0][:, ::-1]), grey(900, 700)]
    alone = [[detector.detect(pixels) for pixels in photos] for detector in detectors]
    assert [len(faces) for faces in alone[0]] == [1, 1, 1, 1, 0]
    for detector, own, within in zip(detectors, alone, (0.02, 1e-4), strict=True):
        for faces, others in zip(detector.detect_batch(photos), own, strict=True):
            assert same(faces, others, within)
    assert all(same(narrow, square, 0.02) for narrow, square in zip(*alone, strict=True))


def test_crowds_and_masks_are_found(detectors: tuple[CenterFace, CenterFace]) -> None:
    """In every eighth photo. In all of them, 85 % of the faces are found."""
    photos = read_photos(shared_faces("crowds"))[::8]
    found = measure_detection(photos, PhotoDetector(detectors[0], Limits())).found
    assert found["all"].of > 50
    assert found["all"].estimate.value > 0.8
    assert found["mask worn"].estimate.value > 0.8
