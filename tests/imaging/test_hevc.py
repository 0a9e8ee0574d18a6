"""The headers of HEVC pictures (ITU-T H.265)."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.hevc import SampleFormat, hevc_work, sample_format
from tests.imaging.coded_headers import hevc_units, parameter_set
from tests.imaging.pictures import refusal


def configuration(chroma: int, depth: int, *sets: bytes, length_size: int = 4) -> bytes:
    """The body of an ``hvcC`` box with an array for each of the parameter sets."""
    head = bytearray(23)
    head[16], head[17], head[21], head[22] = 0xFC | chroma, 0xF8 | (depth - 8), length_size - 1, len(sets)
    return bytes(head) + b"".join(b"\x21\0\1" + struct.pack(">H", len(each)) + each for each in sets)


def a_slice(first: bool) -> bytes:
    return bytes([1 << 1, 1, first << 7 | 1])


@given(
    *[st.integers(1, 70_000)] * 3,
    st.integers(0, 3),
    st.integers(8, 15),
    st.lists(st.sampled_from(["00", "01", "10", "11"]), max_size=6),
    *[st.booleans()] * 2,
)
def test_work_is_the_largest_picture_and_the_number_of_slices(
    width: int, height: int, side: int, chroma: int, depth: int, layers: list[str], cropped: bool, in_box: bool
) -> None:
    one = parameter_set(width, height, chroma, depth, layers=layers, cropped=cropped)
    slices, length_size = len(layers), 2 + cropped
    config = configuration(chroma, depth, *[one] * in_box, length_size=length_size)
    body = [parameter_set(side, side, chroma, depth), *[one] * (not in_box), b"\x4e\1\0"]
    body += [a_slice(number == 0) for number in range(slices)]
    assert hevc_work(config, hevc_units(*body, length_size=length_size)) == (max(width * height, side * side), slices)
    assert sample_format(config) == SampleFormat(chroma, depth)


@pytest.mark.parametrize(
    "wrong", [{"chroma": 0}, {"chroma": 2}, {"depth": 10}, {"colour_depth": 9}, {"chroma": 3, "planes": "1"}], ids=str
)
def test_samples_that_differ_from_the_configuration_are_damage(wrong: dict[str, Any]) -> None:
    """They made pi-heif 1.4.0 write out of bounds."""
    config = configuration(3 if "planes" in wrong else 1, 8)
    assert refusal(hevc_work, config, hevc_units(parameter_set(640, 480, **wrong))).code == "INVALID_IMAGE"


@pytest.mark.parametrize(
    ("config", "coded"),
    [
        (configuration(1, 8)[:22], b""),
        (configuration(1, 8), hevc_units(b"\x42\1")),
        (configuration(1, 8), hevc_units(b"\x02\1\x80")[:-1]),
        (configuration(1, 8), hevc_units(b"\x02\1\x80\0\0\0")),
        (configuration(1, 8), hevc_units(b"\x42\1" + b"\xff" * 20 + bytes(2) + b"\1" * 9)),
        (configuration(1, 8), hevc_units(parameter_set(640, 480)[:14])),
    ],
    ids=["configuration", "short unit", "cut unit", "padding", "profiles only", "cut parameter set"],
)
def test_broken_headers_are_damage(config: bytes, coded: bytes) -> None:
    assert refusal(hevc_work, config, coded).code == "INVALID_IMAGE"


def test_several_pictures_or_too_many_units_are_too_complex() -> None:
    config, other = configuration(1, 8), b"\x4e\1\0"
    assert hevc_work(config, hevc_units(*[other] * 1025)) == (0, 0)
    assert refusal(hevc_work, config, hevc_units(*[other] * 1026)).code == "IMAGE_TOO_COMPLEX"
    assert refusal(hevc_work, config, hevc_units(a_slice(True), a_slice(True))).code == "IMAGE_TOO_COMPLEX"


def test_the_forbidden_bit_hides_no_slice() -> None:
    """libde265 skips the bit before the type of a unit."""
    assert hevc_work(configuration(1, 8), hevc_units(b"\x82\1\x80")) == (0, 1)
