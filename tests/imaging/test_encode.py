"""Encoding pixels."""

import numpy as np
import pytest

from imaging.decode import Limits, decode
from imaging.encode import encode_png
from tests.imaging.pictures import noise


def test_a_png_file_has_the_very_pixels() -> None:
    assert np.array_equal(decode(encode_png(noise(7, 5)), Limits()).pixels, noise(7, 5))
    with pytest.raises(ValueError, match="without pixels"):
        encode_png(np.zeros((0, 0, 3), np.uint8))
