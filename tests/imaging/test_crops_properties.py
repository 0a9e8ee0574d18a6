"""What holds for every crop, whatever the photo and the face."""

from typing import get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging.crops import TEMPLATE, TEMPLATE_SIZE, CropSpec, Fit, cut, similarity_transform
from imaging.faces import Face
from imaging.geometry import Box

# Far beyond the photo, on any side of it, and upside down.
EDGES = st.floats(-300, 300)
BOXES = st.tuples(EDGES, EDGES, EDGES, EDGES)
SIDES = st.integers(1, 50)
SPECS = st.builds(CropSpec, st.integers(1, 30), st.sampled_from(get_args(Fit)), st.floats(0.1, 4))
LANDMARKS = st.builds(
    lambda seed, reach: np.random.default_rng(seed).uniform(-reach, reach, (5, 2)).astype(np.float32),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 60, 5000]),
)
brief = settings(max_examples=60)


@brief
@given(BOXES, LANDMARKS, SIDES, SIDES, SPECS, st.tuples(*[st.integers(0, 255)] * 3))
def test_of_one_colour_only_it_and_the_black_beside_it_is_cut(
    box: Box, points: NDArray[np.float32], width: int, height: int, spec: CropSpec, colour: tuple[int, int, int]
) -> None:
    pixels = np.full((height, width, 3), colour, np.uint8)
    crop = cut(pixels, [box], [points], spec)[0].reshape(-1, 3)
    if spec.fit in ("box", "inside"):
        assert (crop == colour).all()
    elif spec.fit == "aligned":
        # At the photo's edge the two are mixed.
        assert (crop <= colour).all()
    else:
        # Enlarged, the edge is overdone, but never in a colour that is not there.
        assert (crop[:, np.array(colour) == 0] == 0).all()


@brief
@given(st.lists(st.tuples(BOXES, LANDMARKS), max_size=4), SPECS)
def test_a_face_is_cut_as_it_would_be_alone(faces: list[tuple[Box, NDArray[np.float32]]], spec: CropSpec) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    together = cut(pixels, [box for box, _ in faces], [points for _, points in faces], spec)
    assert together.shape == (len(faces), spec.size, spec.size, 3)
    for crop, (box, points) in zip(together, faces, strict=True):
        assert np.array_equal(crop, cut(pixels, [box], [points], spec)[0])


@brief
@given(BOXES, LANDMARKS, SPECS)
def test_the_photo_is_left_as_it_was(box: Box, points: NDArray[np.float32], spec: CropSpec) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    before = pixels.copy()
    cut(pixels, [box], [points], spec)[:] = 0
    assert np.array_equal(pixels, before)


@given(st.integers(1, 300))
@brief
def test_a_face_that_stands_on_the_template_is_cut_as_it_is(size: int) -> None:
    pixels = np.random.default_rng(size).integers(0, 256, (size, size, 3), dtype=np.uint8)
    points = TEMPLATE * (size / TEMPLATE_SIZE)
    np.testing.assert_allclose(similarity_transform(points, points), np.eye(2, 3), atol=1e-9)
    crop = cut(pixels, [(0, 0, 1, 1)], [points.astype(np.float32)], CropSpec(size, "aligned"))[0]
    # Landmarks are 32-bit numbers: a crop is right but for a rounding between two pixels.
    assert np.abs(crop.astype(int) - pixels).max() <= 8


@brief
@given(BOXES, st.floats(0, 1), LANDMARKS, st.floats(0.01, 100))
def test_a_face_that_is_scaled_there_and_back_is_the_same(
    box: Box, score: float, points: NDArray[np.float32], factor: float
) -> None:
    face = Face(box, score, points)
    scaled = face.scaled(factor)
    np.testing.assert_allclose(scaled.area, face.area * factor**2, rtol=1e-9, atol=1e-6)
    back = scaled.scaled(1 / factor)
    np.testing.assert_allclose(back.box, box, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(back.landmarks, points, rtol=1e-5, atol=1e-5)
    assert back.score == score
