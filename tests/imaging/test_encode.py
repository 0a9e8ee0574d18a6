"""Encoding pixels."""

import numpy as np
import pytest

from imaging.decode import Limits, decode
from imaging.encode import encode_png
from tests.imaging.pictures import noise


def test_a_png_file_has_the_very_pixels() -> None:
    file = encode_png(noise(7, 5))
    assert file.startswith(b"\x89PNG")
    assert np.array_equal(decode(file, Limits()).pixels, noise(7, 5))


def test_no_pixels_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="without pixels"):
        encode_png(np.zeros((0, 0, 3), np.uint8))
