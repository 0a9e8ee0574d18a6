"""Averaging over windows, against a slow mean of each cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging.area import AreaSampler

MARGIN = 40
SIDES = st.integers(1, 24)


def photo(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(width * 100 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pooled(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float64]:
    """Adaptive average pooling by its definition: the mean of all pixels that a cell touches."""
    rows, columns = pixels.shape[:2]
    cells = np.empty((height, width, 3))
    for y in range(height):
        top, bottom = y * rows // height, -(-(y + 1) * rows // height)
        for x in range(width):
            left, right = x * columns // width, -(-(x + 1) * columns // width)
            cells[y, x] = pixels[top:bottom, left:right].mean(axis=(0, 1))
    return cells


@st.composite
def boxes(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Boxes that are not empty, in the photo, over its edges and beside it."""
    corners = draw(st.lists(st.tuples(st.integers(-MARGIN, 39), st.integers(-MARGIN, 39)), min_size=1, max_size=4))
    return [(x, y, draw(st.integers(x + 1, 24 + MARGIN)), draw(st.integers(y + 1, 24 + MARGIN))) for x, y in corners]


@given(width=SIDES, height=SIDES, to_width=SIDES, to_height=SIDES)
def test_the_whole_photo_is_pooled(width: int, height: int, to_width: int, to_height: int) -> None:
    pixels = photo(width, height)
    whole = AreaSampler(pixels).whole(to_width, to_height)
    assert whole.dtype == np.float32
    assert whole.shape == (1, to_height, to_width, 3)
    np.testing.assert_allclose(whole[0], pooled(pixels, to_width, to_height), atol=1e-3)


@given(width=SIDES, height=SIDES, places=boxes(), size=st.integers(1, 10))
def test_windows_are_pooled_and_black_outside_the_photo(
    width: int, height: int, places: list[tuple[int, int, int, int]], size: int
) -> None:
    pixels = photo(width, height)
    around = np.pad(pixels, ((MARGIN, 2 * MARGIN), (MARGIN, 2 * MARGIN), (0, 0)))
    windows = AreaSampler(pixels).windows(np.array(places), size)
    assert windows.dtype == np.float32
    assert windows.shape == (len(places), size, size, 3)
    for window, (left, top, right, bottom) in zip(windows, places, strict=True):
        inside = around[top + MARGIN : bottom + MARGIN, left + MARGIN : right + MARGIN]
        np.testing.assert_allclose(window, pooled(inside, size, size), atol=1e-3)


def test_no_boxes_give_no_windows() -> None:
    assert AreaSampler(photo(5, 5)).windows(np.zeros((0, 4), dtype=np.int64), 24).shape == (0, 24, 24, 3)


def test_the_size_is_width_and_height() -> None:
    assert AreaSampler(photo(7, 3)).size == (7, 3)


def test_sums_beyond_32_bits_still_give_right_means() -> None:
    side = 3000
    assert side * side * 255 > 2**31
    white = AreaSampler(np.full((side, side, 3), 255, dtype=np.uint8))
    assert white.whole(30, 20) == pytest.approx(255, abs=1e-2)
    corner = np.array([[side - 100, side - 100, side, side]])
    assert white.windows(corner, 24) == pytest.approx(255, abs=1e-2)
