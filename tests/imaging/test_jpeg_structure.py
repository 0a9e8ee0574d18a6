"""JPEG files that end too early: whole if every pixel is there, damaged if one is missing."""

import re
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.decode import Limits, decode
from imaging.jpeg_structure import read_scans
from imaging.refused import Refused
from tests.imaging.test_decode import encoded, noise

END = b"\xff\xd9"
VARIANTS: dict[str, dict[str, Any]] = {
    "sequential": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "restarts per row": {"restart_marker_rows": 1},
    "full colour": {"subsampling": 0},
}
WHOLE = {name: encoded(PIL.Image.fromarray(noise(150, 120)), "JPEG", **options) for name, options in VARIANTS.items()}
WHOLE["grey"] = encoded(PIL.Image.fromarray(noise(150, 120)[..., 0]), "JPEG")
# What follows the pixels where the end marker is missing: nothing, half of it, padding, or a phone's second photo.
TAILS = [b"", b"\xff", bytes(1), bytes(5000), b"\xff" * 300, WHOLE["sequential"], bytes(9) + WHOLE["progressive"]]


def is_whole(data: bytes, original: bytes) -> bool:
    try:
        pixels = decode(data, Limits()).pixels
    except Refused as refused:
        return refused.message != "The image is damaged and cannot be decoded"
    assert np.array_equal(pixels, decode(original, Limits()).pixels), "neither whole nor refused"
    return True


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("tail", range(len(TAILS)))
def test_a_file_that_lacks_only_its_end_is_whole(name: str, tail: int) -> None:
    data = WHOLE[name]
    assert data.endswith(END)
    assert is_whole(data[:-2] + TAILS[tail], data)


@given(name=st.sampled_from(sorted(WHOLE)), cut=st.integers(3, 4000), tail=st.sampled_from([b"", bytes(5000)]))
def test_a_file_that_lacks_pixels_is_damaged(name: str, cut: int, tail: bytes) -> None:
    """Padding decodes to pixels of some kind: they are not taken for the photo's."""
    data = WHOLE[name]
    assert not is_whole(data[: -2 - cut] + tail, data)


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_ends_at_a_restart_or_between_scans_is_damaged(name: str) -> None:
    data = WHOLE[name]
    places = [found.start() for found in re.finditer(rb"\xff[\xc4\xd0-\xd7\xda]", data)]
    assert places
    assert not any(is_whole(data[:place], data) for place in places)


def test_the_end_of_a_thumbnail_is_not_the_photo_s() -> None:
    data = encoded(PIL.Image.fromarray(noise(150, 120)), "JPEG", exif=b"Exif\0\0" + WHOLE["grey"])
    assert is_whole(data[:-2], data)
    assert not is_whole(data[:-600], data)


def test_a_file_with_its_end_is_read_once() -> None:
    for data in WHOLE.values():
        assert (read_scans(data).is_ended, read_scans(data).end) == (True, len(data) - 2)
        assert read_scans(data + WHOLE["grey"][:-2]) == read_scans(data)


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - {"progressive"}))
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.97])
def test_a_file_that_lacks_pixels_before_its_end_marker_is_damaged(name: str, share: float) -> None:
    data = WHOLE[name]
    assert not is_whole(data[: int(share * len(data))].rstrip(b"\xff") + END, data)


@pytest.mark.parametrize("photo", [("RGB", (128, 128, 128)), ("L", 128), ("CMYK", (127, 127, 127, 127))], ids=str)
@pytest.mark.parametrize(
    "options", [{}, {"optimize": True}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str
)
def test_a_photo_that_ends_in_the_colour_of_missing_pixels_is_whole(photo: Any, options: dict[str, Any]) -> None:
    data = encoded(PIL.Image.new(photo[0], (150, 120), photo[1]), "JPEG", **options)
    assert is_whole(data, data)


def test_scans_are_counted() -> None:
    assert read_scans(WHOLE["sequential"]).passes == 1
    assert read_scans(WHOLE["progressive"]).passes == WHOLE["progressive"].count(b"\xff\xda") > 5
