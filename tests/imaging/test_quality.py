"""Brightness, contrast and sharpness against their definitions."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from imaging.decode import Limits, decode
from imaging.quality import measure


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_photo_of_one_grey_has_its_brightness_and_nothing_else(grey: int) -> None:
    quality = measure(np.full((8, 6, 3), grey, dtype=np.uint8))
    assert (quality.brightness, quality.contrast, quality.sharpness) == (grey, 0, 0)


@pytest.mark.parametrize(("colour", "luma"), [((255, 0, 0), 76.2), ((0, 255, 0), 149.7), ((0, 0, 255), 29.1)])
def test_brightness_is_the_luma_of_rgb(colour: tuple[int, int, int], luma: float) -> None:
    assert measure(np.full((4, 4, 3), colour, dtype=np.uint8)).brightness == pytest.approx(luma, abs=0.5)


def test_contrast_is_the_standard_deviation() -> None:
    pixels = np.zeros((4, 8, 3), dtype=np.uint8)
    pixels[:, 4:] = 255
    assert measure(pixels).contrast == pytest.approx(127.5)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (20, 30))
    around = np.pad(grey, 1, mode="reflect")
    laplacian = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * grey
    pixels = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    assert measure(pixels).sharpness == pytest.approx(laplacian.var())


def test_a_blurred_photo_is_less_sharp_and_as_bright(sample_photos: Path) -> None:
    photo = decode(sorted(sample_photos.glob("*/*.jpg"))[0].read_bytes(), Limits()).pixels
    sharp, blurred = measure(photo), measure(np.asarray(cv2.GaussianBlur(photo, (0, 0), 3), dtype=np.uint8))
    assert blurred.sharpness < sharp.sharpness / 5
    assert blurred.brightness == pytest.approx(sharp.brightness, abs=1)
