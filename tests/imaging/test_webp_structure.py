"""WEBP files that were cut and padded."""

from typing import Any

import PIL.Image
import PIL.PngImagePlugin
import pytest

from imaging.decode import Limits, decode
from tests.imaging.test_decode import encoded, noise, refused


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}], ids=["lossy", "lossless"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_webp_file_that_was_cut_and_padded_is_refused(options: dict[str, Any], share: float) -> None:
    whole = encoded(PIL.Image.fromarray(noise(160, 120)), "WEBP", **options)
    kept = int(len(whole) * share)
    assert str(refused(whole[:kept] + bytes(len(whole) - kept))).startswith("INVALID_IMAGE: The image is damaged")


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}], ids=["lossy", "lossless"])
def test_a_flat_webp_file_is_not_taken_for_a_padded_one(options: dict[str, Any]) -> None:
    """Nor one with zeros in its metadata."""
    data = encoded(PIL.Image.new("RGB", (2000, 3000)), "WEBP", exif=b"Exif\0\0MM" + bytes(60_000), **options)
    assert decode(data, Limits()).height == 3000
