"""Pixels back to a file."""

import io

import numpy as np
import PIL.Image
import pytest

from imaging.encode import encode_png


def test_the_file_has_the_very_pixels_in_their_colours() -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (5, 7, 3), np.uint8)
    with PIL.Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), pixels)


def test_what_cannot_be_encoded_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be encoded"):
        encode_png(np.zeros((0, 0, 3), np.uint8))
