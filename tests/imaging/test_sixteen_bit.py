"""16-bit PNG files that use only the lower bits."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging import sixteen_bit
from imaging.decode import Limits, decode
from tests.imaging.pictures import png


def sixteen_bits(samples: NDArray[np.uint16], colour: int, alpha: int = 0xFFFF) -> bytes:
    """A PNG file of the samples as grey (0, 4) or as all three colours (2, 6), with `alpha` (4, 6)."""
    parts = [samples] * (3 if colour & 2 else 1) + [np.full_like(samples, alpha)] * (colour >> 2)
    rows = np.dstack(parts).astype(">u2").reshape(len(samples), -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return png(samples.shape[1], samples.shape[0], 16, colour, (b"IDAT", packed))


@given(
    st.sampled_from([0, 2, 4, 6]), st.one_of(st.integers(0, 16).map(lambda bits: 2**bits - 1), st.integers(0, 65535))
)
def test_a_photo_is_brightened_to_its_bits_if_none_exceeds_twelve(colour: int, largest: int) -> None:
    samples = np.linspace(0, largest, 64).astype(np.uint16).reshape(8, 8)
    unused = 16 - max(largest.bit_length(), 8) if largest < 0x1000 else 0
    pixels = decode(sixteen_bits(samples, colour), Limits()).pixels
    assert (pixels == (samples << unused >> 8)[..., None]).all()


def test_transparency_is_kept_when_a_photo_is_brightened() -> None:
    assert (decode(sixteen_bits(np.full((2, 2), 0xFFF, np.uint16), 6, alpha=0), Limits()).pixels == 255).all()


def test_a_colour_photo_of_too_many_pixels_stays_dark(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sixteen_bits(np.full((2, 3), 0xFFF, np.uint16), 2)
    for most, brightness in ((6, 255), (5, 15)):
        monkeypatch.setattr(sixteen_bit, "MAX_PIXELS", most)
        assert (decode(data, Limits()).pixels == brightness).all()
