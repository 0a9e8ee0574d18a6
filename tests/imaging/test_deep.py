"""PNG files of 16 bits that use the lower ones only."""

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.decode import Limits, decode
from tests.imaging.hostile import png

SAMPLES = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)


def sixteen_bits(samples: NDArray[np.uint16], colour: int, alpha: int = 0xFFFF) -> bytes:
    """A PNG file of the samples as grey (0, 4) or as all three colours (2, 6), with the alpha (4, 6)."""
    parts = [samples] * (3 if colour & 2 else 1) + [np.full_like(samples, alpha)] * (colour >> 2)
    rows = np.dstack(parts).astype(">u2").reshape(len(samples), -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return png(samples.shape[1], samples.shape[0], 16, colour, (b"IDAT", packed))


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
@pytest.mark.parametrize("bits", [8, 9, 10, 12])
def test_sixteen_bits_that_leave_the_upper_ones_empty_are_stretched(colour: int, bits: int) -> None:
    pixels = decode(sixteen_bits((SAMPLES >> (12 - bits)).astype(np.uint16), colour), Limits()).pixels
    assert np.array_equal(pixels[..., 0], SAMPLES >> 4)
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
@pytest.mark.parametrize("most", [0x1000, 0x3FFF, 0xFFFF])
def test_a_dim_photo_of_sixteen_bits_stays_dim(colour: int, most: int) -> None:
    samples = np.linspace(0, most, 256).astype(np.uint16).reshape(16, 16)
    assert np.array_equal(decode(sixteen_bits(samples, colour), Limits()).pixels[..., 0], samples >> 8)


def test_transparency_over_white_is_kept_where_bits_are_stretched() -> None:
    assert (decode(sixteen_bits(SAMPLES, 6, alpha=0), Limits()).pixels == 255).all()
