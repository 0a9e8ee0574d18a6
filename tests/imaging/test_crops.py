"""Alignment and the four ways of laying a face into a crop."""

import math
from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging.crops import TEMPLATE, CropSpec, Fit, cut, quarter_turns, similarity_transform, tilt
from imaging.faces import Face
from imaging.geometry import turned

Box = tuple[float, float, float, float]
Points = NDArray[np.float32]

NO_LANDMARKS = np.zeros((5, 2), dtype=np.float32)
EDGES = st.floats(-300, 300)
COORDINATES = st.floats(-500, 500, allow_subnormal=False)


def noise(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def white(width: int, height: int) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.full((height, width, 3), 255, dtype=np.uint8)
    return pixels


def crop(pixels: NDArray[np.uint8], box: Box, spec: CropSpec) -> NDArray[np.uint8]:
    return np.asarray(cut(pixels, [box], [NO_LANDMARKS], spec)[0], dtype=np.uint8)


def similarity(angle: float, scale: float, x: float, y: float) -> NDArray[np.float64]:
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cosine, -sine, x], [sine, cosine, y]])


def moved(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)


@given(
    points=st.lists(st.tuples(COORDINATES, COORDINATES), min_size=2, max_size=6),
    angle=st.floats(-math.pi, math.pi),
    scale=st.floats(0.05, 20),
    x=COORDINATES,
    y=COORDINATES,
)
def test_any_similarity_is_recovered(
    points: list[tuple[float, float]], angle: float, scale: float, x: float, y: float
) -> None:
    source = np.array(points)
    assume(np.ptp(source, axis=0).max() > 1)
    matrix = similarity(angle, scale, x, y)
    np.testing.assert_allclose(similarity_transform(source, moved(source, matrix)), matrix, atol=1e-6, rtol=1e-6)


@given(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=5, max_size=5))
def test_what_no_similarity_gives_exactly_is_met_with_least_squares(points: list[tuple[float, float]]) -> None:
    source = np.array(points)
    assume(np.ptp(source, axis=0).max() > 1)
    # Linear in (a, b, x, y) for the matrix ((a, -b, x), (b, a, y)).
    one, zero = np.ones(5), np.zeros(5)
    rows = np.vstack([np.c_[source[:, 0], -source[:, 1], one, zero], np.c_[source[:, 1], source[:, 0], zero, one]])
    a, b, x, y = np.linalg.lstsq(rows, TEMPLATE.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(similarity_transform(source, TEMPLATE), [[a, -b, x], [b, a, y]], atol=1e-6, rtol=1e-6)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    matrix = similarity_transform(TEMPLATE * (-1, 1), TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_landmarks_that_are_one_point_are_no_alignment() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.full((5, 2), 7.0), TEMPLATE)


@given(
    boxes=st.lists(st.tuples(EDGES, EDGES, EDGES, EDGES), max_size=3),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    fit=st.sampled_from(get_args(Fit)),
    size=st.integers(1, 20),
    scale=st.floats(0.1, 4),
)
def test_any_box_gives_a_crop_of_the_size(
    boxes: list[Box], width: int, height: int, fit: Fit, size: int, scale: float
) -> None:
    landmarks = [np.random.default_rng(0).uniform(-50, 50, (5, 2)).astype(np.float32) for _ in boxes]
    crops = cut(noise(width, height), boxes, landmarks, CropSpec(size, fit, scale))
    assert crops.dtype == np.uint8
    assert crops.shape == (len(boxes), size, size, 3)


@pytest.mark.parametrize("fit", get_args(Fit))
def test_each_face_has_its_own_crop_in_order(fit: Fit) -> None:
    pixels = np.zeros((60, 90, 3), dtype=np.uint8)
    pixels[:, 30:60], pixels[:, 60:] = 100, 200
    boxes = [(5.0, 20.0, 25.0, 40.0), (65.0, 20.0, 85.0, 40.0), (35.0, 20.0, 55.0, 40.0)]
    landmarks = [(TEMPLATE / 6 + (left, top)).astype(np.float32) for left, top, _, _ in boxes]
    crops = cut(pixels, boxes, landmarks, CropSpec(9, fit))
    assert crops.max(axis=(1, 2, 3)).tolist() == crops.min(axis=(1, 2, 3)).tolist() == [0, 200, 100]


@pytest.mark.parametrize("fit", get_args(Fit))
def test_crops_keep_the_order_of_the_colours(fit: Fit) -> None:
    pixels, spec = noise(50, 40), CropSpec(16, fit, 1.2)
    landmarks = (TEMPLATE / 4 + 5).astype(np.float32)
    turned = np.ascontiguousarray(pixels[..., ::-1])
    box = (10.0, 8.0, 35.0, 30.0)
    assert np.array_equal(cut(turned, [box], [landmarks], spec)[..., ::-1], cut(pixels, [box], [landmarks], spec))


@pytest.mark.parametrize("size", [112, 56, 160])
def test_landmarks_come_to_lie_on_the_template(size: int) -> None:
    landmarks = moved(TEMPLATE, similarity(0.5, 2.0, 180, 20))
    pixels = np.zeros((400, 400, 3), dtype=np.uint8)
    y, x = np.mgrid[:400, :400]
    for point in landmarks:
        pixels[np.hypot(x - point[0], y - point[1]) < 6] = 255
    aligned = cut(pixels, [(0, 0, 1, 1)], [landmarks.astype(np.float32)], CropSpec(size, "aligned"))[0]
    for x_wanted, y_wanted in TEMPLATE * (size / 112):
        near = aligned[int(y_wanted) - 6 : int(y_wanted) + 8, int(x_wanted) - 6 : int(x_wanted) + 8, 0]
        rows, columns = np.nonzero(near > 127)
        assert columns.mean() + int(x_wanted) - 6 == pytest.approx(x_wanted, abs=0.6)
        assert rows.mean() + int(y_wanted) - 6 == pytest.approx(y_wanted, abs=0.6)


def test_an_aligned_crop_is_black_outside_the_photo() -> None:
    landmarks = (TEMPLATE - (56, 0)).astype(np.float32)
    aligned = cut(white(112, 112), [(0, 0, 1, 1)], [landmarks], CropSpec(112, "aligned"))[0]
    assert (aligned[:, :55] == 0).all()
    assert (aligned[:, 58:] == 255).all()


def test_a_box_is_cut_out_as_it_is() -> None:
    pixels = noise(40, 30)
    assert np.array_equal(crop(pixels, (7.2, 4.6, 17.2, 14.6), CropSpec(10, "box")), pixels[5:15, 7:17])


def test_a_box_is_scaled_about_its_centre() -> None:
    pixels = noise(60, 60)
    assert np.array_equal(crop(pixels, (25, 27, 35, 37), CropSpec(20, "box", 2.0)), pixels[22:42, 20:40])


def test_a_box_over_the_edge_is_cut_there_and_stretched() -> None:
    stretched = crop(white(20, 20), (-30, -10, 10, 10), CropSpec(16, "box"))
    assert (stretched == 255).all()
    pixels = white(20, 20)
    pixels[:, 10:] = 0
    assert (crop(pixels, (0, 0, 200, 20), CropSpec(16, "box"))[:, 9:] == 0).all()


def test_a_square_takes_the_longer_side_and_leaves_the_face_its_shape() -> None:
    pixels = noise(60, 60)
    assert np.array_equal(crop(pixels, (25, 20, 35, 40), CropSpec(20, "square")), pixels[20:40, 20:40])
    assert np.array_equal(crop(pixels, (25, 20, 35, 40), CropSpec(30, "square", 1.5)), pixels[15:45, 15:45])


def test_a_square_is_black_outside_the_photo() -> None:
    square = crop(white(30, 30), (-10, 5, 10, 25), CropSpec(20, "square"))
    assert (square[:, :10] == 0).all()
    assert (square[:, 10:] == 255).all()
    low = crop(white(30, 30), (5, 20, 25, 40), CropSpec(20, "square"))
    assert (low[10:] == 0).all()
    assert (low[:10] == 255).all()


def test_inside_is_shifted_into_the_photo() -> None:
    pixels = noise(60, 50)
    assert np.array_equal(crop(pixels, (0, 0, 10, 10), CropSpec(20, "inside", 2.0)), pixels[:20, :20])
    assert np.array_equal(crop(pixels, (55, 45, 65, 55), CropSpec(20, "inside", 2.0)), pixels[30:, 40:])


def test_inside_is_shrunk_to_the_photo() -> None:
    pixels = noise(60, 20)
    assert np.array_equal(crop(pixels, (25, 5, 35, 15), CropSpec(20, "inside", 4.0)), pixels[:, 20:40])


def test_shrinking_averages_and_inside_does_not() -> None:
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::4] = 255
    whole = (0, 0, 64, 64)
    assert (np.abs(crop(stripes, whole, CropSpec(16, "box")).astype(int) - 64) <= 1).all()
    assert (crop(stripes, whole, CropSpec(16, "inside")) == 0).all()


def test_enlarging_stays_sharp_and_inside_does_not() -> None:
    pixels, whole = noise(8, 8), (0, 0, 8, 8)
    assert crop(pixels, whole, CropSpec(64, "box")).std() > crop(pixels, whole, CropSpec(64, "inside")).std() + 5


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("fit", get_args(Fit))
def test_a_turned_face_is_cut_upright(fit: Fit, turns: int) -> None:
    # So smooth that half a pixel makes no difference, as noise on a grid would.
    pixels = np.asarray(cv2.resize(noise(6, 4), (240, 160), interpolation=cv2.INTER_LINEAR), np.uint8)
    height, width = pixels.shape[:2]
    face = Face((60, 40, 140, 140), 0.9, (TEMPLATE * 0.7 + (60, 45)).astype(np.float32))
    lying = face.turned(turns, width, height)
    spec = CropSpec(40, fit, 2.0)
    [upright] = cut(pixels, [face.box], [face.landmarks], spec)
    [crop] = cut(turned(pixels, turns), [lying.box], [lying.landmarks], spec)
    assert np.abs(crop.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("fit", ["box", "square", "inside"])
@pytest.mark.parametrize(("degrees", "upright"), [(15, False), (30, True), (-60, True), (135, True)])
def test_a_face_that_is_tilted_far_is_cut_upright(fit: Fit, degrees: float, upright: bool) -> None:
    pixels = np.asarray(cv2.resize(noise(6, 6), (240, 240), interpolation=cv2.INTER_LINEAR), np.uint8)
    box, points = (90.0, 90.0, 150.0, 150.0), TEMPLATE / 2 + (90, 90)
    matrix = np.asarray(cv2.getRotationMatrix2D((120, 120), degrees, 1), np.float64)
    tilted = np.asarray(cv2.warpAffine(pixels, matrix, (240, 240)), np.uint8)
    spec = CropSpec(40, fit)
    [wanted] = cut(pixels, [box], [points.astype(np.float32)], spec)
    [crop] = cut(tilted, [box], [moved(points, matrix).astype(np.float32)], spec)
    assert (np.abs(crop.astype(int) - wanted).mean() < 3) == upright


@pytest.mark.parametrize("degrees", [-180, -100, -44, 0, 30, 179])
def test_a_tilt_is_the_turn_that_sets_a_face_upright(degrees: float) -> None:
    lying = moved(TEMPLATE, similarity(math.radians(degrees), 2, 5, 7))
    assert abs(tilt(lying)) == pytest.approx(abs(degrees), abs=1e-6)
    assert quarter_turns(lying) == round(degrees / 90) % 4
