"""Alignment, and the four ways to fit a face into a crop."""

import math
from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging.crops import (
    MAX_TILT,
    TEMPLATE,
    TEMPLATE_SIZE,
    CropSpec,
    Fit,
    cut,
    quarter_turns,
    similarity_transform,
    tilt,
)
from imaging.faces import Pixels
from imaging.geometry import Box, turned
from tests.imaging.pictures import noise

Points = NDArray[np.floating]

COINCIDENT = np.zeros((5, 2), dtype=np.float32)
"""Landmarks of an upright face."""
UNTILTED = ("box", "square", "inside")
EDGES = st.floats(-300, 300)
BOXES = st.tuples(EDGES, EDGES, EDGES, EDGES)
SIDES = st.integers(1, 50)
SPECS = st.builds(CropSpec, st.integers(1, 30), st.sampled_from(get_args(Fit)), st.floats(0.1, 4))
LANDMARKS = st.builds(
    lambda seed, reach: np.random.default_rng(seed).uniform(-reach, reach, (5, 2)).astype(np.float32),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 60, 5000]),
)
COORDINATES = st.floats(-500, 500, allow_subnormal=False)
POINTS: st.SearchStrategy[Points] = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=5, max_size=5).map(np.array)


def crop(pixels: Pixels, box: Box, spec: CropSpec, points: Points = COINCIDENT) -> Pixels:
    return np.asarray(cut(pixels, [box], [points.astype(np.float32)], spec)[0], dtype=np.uint8)


def similarity(degrees: float, scale: float, x: float, y: float) -> NDArray[np.float64]:
    cosine, sine = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return np.array([[cosine, -sine, x], [sine, cosine, y]])


def moved(points: Points, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)


@given(POINTS, POINTS)
def test_the_transform_is_the_least_squares_similarity(source: Points, target: Points) -> None:
    assume(np.ptp(source, axis=0).max() > 1)
    # Linear in (a, b, x, y) for the matrix ((a, -b, x), (b, a, y)).
    one, zero = np.ones(5), np.zeros(5)
    rows = np.vstack([np.c_[source[:, 0], -source[:, 1], one, zero], np.c_[source[:, 1], source[:, 0], zero, one]])
    a, b, x, y = np.linalg.lstsq(rows, target.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(similarity_transform(source, target), [[a, -b, x], [b, a, y]], atol=1e-6, rtol=1e-6)


def test_landmarks_that_coincide_are_upright_and_cannot_be_aligned() -> None:
    assert tilt(np.full((5, 2), 7.0)) == 0
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.full((5, 2), 7.0), TEMPLATE)


@given(st.floats(-179, 179), st.floats(0.2, 5))
def test_tilt_is_the_rotation_that_sets_a_face_upright(degrees: float, scale: float) -> None:
    tilted = moved(TEMPLATE, similarity(degrees, scale, 5, 7))
    assert tilt(tilted) == pytest.approx(degrees, abs=1e-6)
    assume(abs(degrees % 90 - 45) > 1e-3)
    assert quarter_turns(tilted) == round(degrees / 90) % 4


@given(st.integers(20, 160), st.floats(-180, 180), st.floats(0.5, 2), st.integers(-60, 60), st.integers(-60, 60))
def test_an_aligned_crop_maps_the_landmarks_to_the_template(
    size: int, degrees: float, scale: float, x: int, y: int
) -> None:
    """Each pixel of the photo holds its own coordinates and 255, which distinguishes it from the black outside."""
    rows, columns = np.mgrid[:250, :250]
    pixels = np.dstack([columns, rows, np.full_like(rows, 255)]).astype(np.uint8)
    to_photo = similarity(degrees, scale * TEMPLATE_SIZE / size, 125 + x, 125 + y)
    landmarks = moved(TEMPLATE * size / TEMPLATE_SIZE, to_photo)
    aligned = crop(pixels, (0, 0, 1, 1), CropSpec(size, "aligned"), landmarks)
    v, u = np.indices((size, size))
    places = moved(np.column_stack([u.ravel(), v.ravel()]).astype(float), to_photo)
    values = aligned.reshape(-1, 3).astype(float)
    inside = ((places > 1) & (places < 248)).all(axis=1)
    np.testing.assert_allclose(values[inside, :2], places[inside], atol=1.1)
    outside = ((places < -1) | (places > 250)).any(axis=1)
    assert (values[outside] == 0).all()


@given(st.sampled_from(UNTILTED), st.integers(20, 60), st.integers(20, 60), st.integers(1, 9), st.data())
def test_a_crop_that_is_not_resized_has_the_same_pixels(
    fit: Fit, width: int, height: int, half: int, data: st.DataObject
) -> None:
    pixels, side = noise(width, height), 2 * half
    left, top = (
        data.draw(st.integers(0, length - side) if fit == "box" else st.integers(1 - side, length - 1))
        for length in (width, height)
    )
    # Half as large about the same centre, for the scale of 2.
    box = (left + half / 2, top + half / 2, left + 1.5 * half, top + 1.5 * half)
    if fit == "inside":
        left, top = min(max(left, 0), width - side), min(max(top, 0), height - side)
    around = np.pad(pixels, ((side, side), (side, side), (0, 0)))
    wanted = around[top + side : top + 2 * side, left + side : left + 2 * side]
    assert np.array_equal(crop(pixels, box, CropSpec(side, fit, 2.0)), wanted)


@given(st.integers(-20, 35), st.integers(-20, 25), st.integers(2, 60), st.integers(2, 60), st.integers(1, 20))
def test_a_box_is_clipped_to_the_photo_and_stretched(left: int, top: int, width: int, height: int, size: int) -> None:
    pixels, right, bottom = noise(40, 30), left + width, top + height
    assume(right > 0 and bottom > 0)
    clipped = (max(left, 0), max(top, 0), min(right, 40), min(bottom, 30))
    expected = crop(pixels, clipped, CropSpec(size, "box"))
    assert np.array_equal(crop(pixels, (left, top, right, bottom), CropSpec(size, "box")), expected)


def test_the_fit_square_takes_the_longer_side_and_the_fit_inside_stays_in_the_photo() -> None:
    pixels = noise(60, 60)
    for box in ((25, 20, 35, 40), (20, 25, 40, 35)):
        assert np.array_equal(crop(pixels, box, CropSpec(30, "square", 1.5)), pixels[15:45, 15:45])
    inside = CropSpec(20, "inside", 4.0)
    assert np.array_equal(crop(pixels[:20], (25, 5, 35, 15), inside), pixels[:20, 20:40])
    assert np.array_equal(crop(pixels[:, :20], (5, 25, 15, 35), inside), pixels[20:40, :20])


def test_shrinking_averages_and_enlarging_stays_sharp_except_with_the_fit_inside() -> None:
    stripes, small = np.zeros((64, 64, 3), np.uint8), noise(8, 8)
    stripes[:, ::4] = 255
    averaged, sampled = (crop(stripes, (0, 0, 64, 64), CropSpec(16, fit)).astype(int) for fit in ("box", "inside"))
    assert (np.abs(averaged - 64) <= 1).all()
    assert (sampled == 0).all()
    sharp, blurred = (crop(small, (0, 0, 8, 8), CropSpec(64, fit)) for fit in ("box", "inside"))
    assert sharp.std() > blurred.std() + 5


@given(BOXES, LANDMARKS, SIDES, SIDES, SPECS.filter(lambda spec: spec.fit in ("box", "inside")))
def test_a_crop_that_is_stretched_has_no_black_edge(
    box: Box, points: Points, width: int, height: int, spec: CropSpec
) -> None:
    assert (crop(np.full((height, width, 3), 200, np.uint8), box, spec, points) == 200).all()


@given(st.lists(st.tuples(BOXES, LANDMARKS), max_size=4), SPECS)
def test_each_face_is_cropped_alone_and_the_photo_is_unchanged(faces: list[tuple[Box, Points]], spec: CropSpec) -> None:
    pixels = noise(40, 30)
    crops = cut(pixels, [box for box, _ in faces], [points.astype(np.float32) for _, points in faces], spec)
    assert crops.dtype == np.uint8
    assert crops.shape == (len(faces), spec.size, spec.size, 3)
    for found, (box, points) in zip(crops, faces, strict=True):
        assert np.array_equal(found, crop(pixels, box, spec, points))
    crops[:] = 0
    assert np.array_equal(pixels, noise(40, 30))


@given(st.sampled_from(UNTILTED), st.floats(-180, 180))
def test_a_face_that_is_tilted_far_is_cropped_upright(fit: Fit, degrees: float) -> None:
    rest = abs(degrees - 90 * round(degrees / 90))
    assume(abs(rest - MAX_TILT) > 0.1)
    # So smooth that half a pixel makes no difference.
    pixels = np.asarray(cv2.resize(noise(6, 4), (240, 240), interpolation=cv2.INTER_LINEAR), np.uint8)
    spec, box, points = CropSpec(40, fit), (90.0, 90.0, 150.0, 150.0), TEMPLATE / 2 + (90, 90)
    matrix = np.asarray(cv2.getRotationMatrix2D((120, 120), degrees, 1), np.float64)
    tilted = np.asarray(cv2.warpAffine(pixels, matrix, (240, 240)), np.uint8)
    found = crop(tilted, box, spec, moved(points, matrix))
    if rest > MAX_TILT:
        assert np.abs(found.astype(int) - crop(pixels, box, spec, points)).mean() < 4
    else:
        turns = -round(degrees / 90)
        assert np.array_equal(found, crop(turned(tilted, turns), box, spec))


@given(degrees=st.floats(-180, 180), distance=st.floats(40, 60), side=st.sampled_from([0, 1]))
def test_an_eye_is_cut_level_and_by_the_distance_of_the_eyes(degrees: float, distance: float, side: int) -> None:
    turn = similarity(degrees, distance, 150, 150)
    points = np.zeros((5, 2))
    points[:2] = moved(np.array([[-0.5, 0], [0.5, 0]]), turn)
    # A dot next to the eye, an eighth of the crop from its middle, in the direction from the left eye to the right.
    dot = moved(np.array([[side - 0.5 + 0.1, 0]]), turn)[0]
    pixels = np.zeros((300, 300, 3), np.uint8)
    cv2.circle(pixels, (round(dot[0]), round(dot[1])), 1, (255, 255, 255), -1)
    eye = crop(pixels, (0, 0, 1, 1), CropSpec(40, ("left_eye", "right_eye")[side], 0.8), points)
    y, x = np.argwhere(eye[..., 0] == eye.max()).mean(axis=0)
    assert (x, y) == pytest.approx((19.5 + 5, 19.5), abs=2.5)
