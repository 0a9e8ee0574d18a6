"""JPEG files that end too early are whole if every pixel is there, and damaged if one is missing."""

import re
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.decode import Limits, decode
from imaging.jpeg_structure import read_scans
from tests.imaging.pictures import DAMAGED, compared, encoded, noise

END = b"\xff\xd9"
PICTURE = noise(150, 120)
VARIANTS: dict[str, dict[str, Any]] = {
    "sequential": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "restarts per row": {"restart_marker_rows": 1},
    "full colour": {"subsampling": 0},
}
WHOLE = {name: encoded(PICTURE, "JPEG", **options) for name, options in VARIANTS.items()}
WHOLE["grey"] = encoded(PICTURE[..., 0], "JPEG")
TAILS = [b"", b"\xff", bytes(1), bytes(5000), b"\xff" * 300, WHOLE["sequential"], bytes(9) + WHOLE["progressive"]]
"""What may follow the pixels instead of the end marker: nothing, half of it, padding, or a phone's second photo."""
names = st.sampled_from(sorted(WHOLE))


def is_whole(data: bytes, original: bytes) -> bool:
    found = compared(data, decode(original, Limits()).pixels)
    assert found in ("whole", DAMAGED)
    return found == "whole"


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("tail", range(len(TAILS)))
def test_a_file_that_lacks_only_its_end_marker_is_whole(name: str, tail: int) -> None:
    data = WHOLE[name]
    assert data.endswith(END)
    assert is_whole(data[:-2] + TAILS[tail], data)


@given(names, st.integers(5, 4000), st.sampled_from([b"", bytes(5000), WHOLE["grey"]]))
def test_a_file_that_lacks_pixels_is_damaged(name: str, missing: int, tail: bytes) -> None:
    """Padding decodes to arbitrary pixels, which must not be taken for the photo's."""
    assert not is_whole(WHOLE[name][:-missing] + tail, WHOLE[name])


@given(names.filter(lambda name: name != "progressive"), st.floats(0.2, 0.97))
def test_a_file_that_lacks_pixels_before_its_end_marker_is_damaged(name: str, share: float) -> None:
    data = WHOLE[name]
    assert not is_whole(data[: int(share * len(data))].rstrip(b"\xff") + END, data)


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_ends_at_a_restart_or_between_scans_is_damaged(name: str) -> None:
    data = WHOLE[name]
    places = [found.start() for found in re.finditer(rb"\xff[\xc4\xd0-\xd7\xda]", data)]
    assert places
    assert not any(is_whole(data[:place], data) for place in places)


def test_the_end_of_a_thumbnail_is_not_the_photo_s() -> None:
    data = encoded(PICTURE, "JPEG", exif=b"Exif\0\0" + WHOLE["grey"])
    assert is_whole(data[:-2], data)
    assert not is_whole(data[:-600], data)


@pytest.mark.parametrize("photo", [("RGB", (128, 128, 128)), ("L", 128), ("CMYK", (127, 127, 127, 127))], ids=str)
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_a_photo_that_ends_in_the_colour_of_missing_pixels_is_whole(photo: Any, options: dict[str, Any]) -> None:
    data = encoded(PIL.Image.new(photo[0], (150, 120), photo[1]), "JPEG", **options)
    assert is_whole(data, data)


@pytest.mark.parametrize("name", WHOLE)
def test_scans_are_counted_up_to_the_end_marker(name: str) -> None:
    data = WHOLE[name]
    found = read_scans(data)
    assert (found.end, found.is_ended) == (len(data) - 2, True)
    assert found.passes == (data.count(b"\xff\xda") if name == "progressive" else 1)
    assert read_scans(data + WHOLE["grey"][:-2]) == found
