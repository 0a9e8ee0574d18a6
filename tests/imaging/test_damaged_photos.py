"""Damaged and truncated files: refused with a stable code, or decoded, and nothing else."""

import json
import os
import re
import resource
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.decode import Limits, decode
from project.request_error import RequestError
from tests.imaging.heif import FILES
from tests.imaging.pictures import DAMAGED, encoded, exif, gradient, noise, outcome

# Pillow warns of broken EXIF data, which is ignored.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

FOUND = Path(__file__).with_name("findings")
KNOWN = json.loads((FOUND / "known.json").read_text("utf-8"))
"""Files that once broke the gate."""
SMALL = Limits(max_bytes=64 * 1024, max_pixels=1_000_000, max_dimension=40)
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
"""Set FUZZ_EXAMPLES to 100000 to search for hours."""
WEBP: dict[str, dict[str, Any]] = {"lossy": {"quality": 80}, "lossless": {"lossless": True}}
KINDS = ("JPEG", "PNG", "WEBP", "BMP", "AVIF")
WHOLE = {"HEIC": FILES["eight_bits"], **{kind: encoded(noise(160, 120), kind) for kind in KINDS}}

PHOTO = PIL.Image.fromarray(gradient(40, 30))
SOUND = [
    *FILES.values(),
    encoded(PHOTO, "JPEG", quality=60, exif=exif(6)),
    encoded(PHOTO, "JPEG", progressive=True),
    encoded(PHOTO.convert("CMYK"), "JPEG"),
    encoded(PHOTO, "PNG", exif=exif(8)),
    encoded(PHOTO.quantize(16), "PNG", transparency=3),
    encoded(PHOTO.convert("I;16"), "PNG"),
    encoded(PHOTO.convert("LA"), "PNG"),
    encoded(PHOTO, "WEBP", exif=exif(3)),
    encoded(PHOTO.convert("RGBA"), "WEBP", lossless=True),
    encoded(PHOTO, "WEBP", save_all=True, append_images=[PHOTO.rotate(180)]),
    encoded(PHOTO, "AVIF", speed=10, exif=exif(6)),
    encoded(PHOTO.convert("RGBA"), "AVIF", speed=10, save_all=True, append_images=[PHOTO.convert("RGBA")]),
    encoded(PHOTO, "BMP"),
    encoded(PHOTO.quantize(16), "BMP"),
]
"""Small files of every format and its variants."""
NUMBERS = [2**bits + add for bits in (1, 3, 7, 8, 12, 15, 16, 24, 31) for add in (-2, -1, 0)]
"""Lengths and sizes that are too small, too large, or at the limits of integer types."""
PACKED = [(n % 256**size).to_bytes(size, order) for n in NUMBERS for size in (2, 4) for order in ("big", "little")]
PIECE = re.compile(rb"[A-Za-z0-9 ]{4}|\xff[\xc0-\xfe]")
"""The names of chunks and boxes, and the markers of segments."""


@st.composite
def spoiled_files(draw: st.DrawFn) -> bytes:
    """A sound file after one to four edits that each replace, remove, insert or repeat a piece."""
    data = draw(st.sampled_from(SOUND))
    for _ in range(draw(st.integers(1, 4))):
        starts = [max(found.start() + add, 0) for found in PIECE.finditer(data) for add in (-4, 0, 4, 8)]
        places = st.sampled_from([0, len(data), *starts]) | st.integers(0, len(data))
        start, end = sorted(draw(st.tuples(places, places)))
        other = draw(st.sampled_from(SOUND))[start : start + 100]
        piece = draw(st.sampled_from([b"", *PACKED, data[start:end] * 2, other]) | st.binary(max_size=16))
        data = data[:start] + piece + data[draw(st.sampled_from([start, start + len(piece), end])) :]
    return data


def code(data: bytes) -> str:
    """A refusal's code, or ``decoded``. Checks what a decoded photo promises."""
    try:
        photo = decode(data, SMALL)
    except RequestError as refused:
        return refused.code
    height, width, channels = photo.pixels.shape
    assert photo.pixels.dtype == np.uint8
    assert channels == 3
    assert 1 <= min(height, width) <= max(height, width) <= SMALL.max_dimension
    assert photo.width * photo.height <= SMALL.max_pixels
    assert 0 < photo.scale <= 1
    return "decoded"


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@settings(max_examples=EXAMPLES)
@given(spoiled_files())
def test_a_spoiled_file_is_decoded_or_refused(data: bytes) -> None:
    before = peak_mib()
    assert code(data) in ("decoded", "INVALID_IMAGE", "IMAGE_TOO_LARGE", "IMAGE_TOO_COMPLEX")
    assert peak_mib() - before < 64


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_file_that_once_broke_the_gate_is_refused(name: str) -> None:
    assert code((FOUND / name).read_bytes()) == KNOWN[name]["outcome"], KNOWN[name]["what"]


@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 0.97))
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    whole = WHOLE[kind]
    assert outcome(whole[: int(len(whole) * share)]).startswith("INVALID_IMAGE: ")


@pytest.mark.parametrize("options", WEBP.values(), ids=WEBP)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_webp_file_that_was_truncated_and_padded_is_damaged(options: dict[str, Any], share: float) -> None:
    whole = encoded(noise(160, 120), "WEBP", **options)
    kept = int(len(whole) * share)
    assert outcome(whole[:kept] + bytes(len(whole) - kept)) == DAMAGED


@pytest.mark.parametrize("options", WEBP.values(), ids=WEBP)
def test_zeros_in_a_flat_picture_or_in_metadata_are_not_padding(options: dict[str, Any]) -> None:
    data = encoded(PIL.Image.new("RGB", (2000, 3000)), "WEBP", exif=b"Exif\0\0MM" + bytes(60_000), **options)
    assert outcome(data) == "2000x3000"


@pytest.mark.parametrize("kind", KINDS)
def test_data_after_a_photo_is_ignored(kind: str) -> None:
    data = encoded(gradient(30, 20), kind)
    assert np.array_equal(
        decode(data + b"PK\x03\x04<script>" + b"\xff\xda" * 5000, SMALL).pixels, decode(data, SMALL).pixels
    )
