"""Brightness, contrast and sharpness against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.quality import measure


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
