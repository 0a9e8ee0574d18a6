"""Averages over windows, and brightness, contrast and sharpness, by their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging.area import AreaSampler
from imaging.faces import Pixels
from imaging.quality import measure
from tests.imaging.pictures import noise

MARGIN = 40
SIDES = st.integers(1, 24)


def pooled(pixels: Pixels, width: int, height: int) -> NDArray[np.float64]:
    """Adaptive average pooling by definition: the mean of all pixels that a cell touches."""
    rows, columns = pixels.shape[:2]
    cells = np.empty((height, width, 3))
    for y, x in np.ndindex(height, width):
        top, bottom = y * rows // height, -(-(y + 1) * rows // height)
        left, right = x * columns // width, -(-(x + 1) * columns // width)
        cells[y, x] = pixels[top:bottom, left:right].mean(axis=(0, 1))
    return cells


@st.composite
def boxes(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Boxes that are not empty, inside the photo, across its edges and beside it."""
    corners = draw(st.lists(st.tuples(st.integers(-MARGIN, 39), st.integers(-MARGIN, 39)), max_size=4))
    return [(x, y, draw(st.integers(x + 1, 24 + MARGIN)), draw(st.integers(y + 1, 24 + MARGIN))) for x, y in corners]


@given(SIDES, SIDES, SIDES, SIDES, boxes())
def test_a_photo_and_its_windows_are_averaged_and_black_is_outside(
    width: int, height: int, to_width: int, to_height: int, places: list[tuple[int, int, int, int]]
) -> None:
    pixels = noise(width, height)
    sampler = AreaSampler(pixels)
    assert sampler.size == (width, height)
    expected = pooled(pixels, to_width, to_height)[None].astype(np.float32)
    np.testing.assert_allclose(sampler.whole(to_width, to_height), expected, atol=1e-3, strict=True)
    around = np.pad(pixels, ((MARGIN, 2 * MARGIN), (MARGIN, 2 * MARGIN), (0, 0)))
    windows = sampler.windows(np.array(places, dtype=np.int64).reshape(-1, 4), to_width)
    assert windows.dtype == np.float32
    assert windows.shape == (len(places), to_width, to_width, 3)
    for window, (left, top, right, bottom) in zip(windows, places, strict=True):
        inside = around[top + MARGIN : bottom + MARGIN, left + MARGIN : right + MARGIN]
        np.testing.assert_allclose(window, pooled(inside, to_width, to_width), atol=1e-3)


def test_sums_that_overflow_32_bits_still_give_correct_means() -> None:
    side = 3000
    assert side * side * 255 > 2**31
    white = AreaSampler(np.full((side, side, 3), 255, dtype=np.uint8))
    assert white.whole(30, 20) == pytest.approx(255, abs=1e-2)
    corner = np.array([[side - 100, side - 100, side, side]])
    assert white.windows(corner, 24) == pytest.approx(255, abs=1e-2)


@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 2**32 - 1), st.integers(1, 256))
def test_grey_values_are_measured_by_definition(width: int, height: int, seed: int, levels: int) -> None:
    grey = np.random.default_rng(seed).integers(0, levels, (height, width))
    around = np.pad(grey, 1, mode="reflect")
    laplacian = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * grey
    quality = measure(np.repeat(grey[..., None], 3, axis=2).astype(np.uint8))
    measured = (quality.brightness, quality.contrast, quality.sharpness)
    assert measured == pytest.approx((grey.mean(), grey.std(), laplacian.var()), abs=1e-6)


@pytest.mark.parametrize(("colour", "luma"), [((255, 0, 0), 76.2), ((0, 255, 0), 149.7), ((0, 0, 255), 29.1)])
def test_brightness_is_the_luma_of_rgb(colour: tuple[int, int, int], luma: float) -> None:
    assert measure(np.full((4, 4, 3), colour, dtype=np.uint8)).brightness == pytest.approx(luma, abs=0.5)
