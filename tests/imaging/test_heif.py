"""HEIC and AVIF: which picture of a file is decoded, and how it is turned."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from imaging.decode import Limits, decode
from imaging.refused import Refused
from tests.imaging.heif import (
    FILES,
    HEIGHT,
    WIDTH,
    Part,
    box,
    coded,
    extent,
    grid,
    heif,
    mirrored,
    turned,
)
from tests.imaging.test_decode import encoded, exif, gradient

Pixels = NDArray[np.uint8]
DAMAGED = "INVALID_IMAGE: The image is damaged and cannot be decoded"
COMPLEX = "IMAGE_TOO_COMPLEX: The image consists of more pieces than any real photo"


def avif(image: PIL.Image.Image, **options: Any) -> bytes:
    return encoded(image, "AVIF", quality=90, speed=8, **options)


def upright() -> Pixels:
    """What the coded pictures show."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.dstack([x * 255 // WIDTH, y * 255 // HEIGHT, (x + y) % 256]).astype(np.uint8)


AVIF = coded(data=avif(PIL.Image.fromarray(upright())))
CODECS = {"HEIC": (coded(), b"heic"), "AVIF": (AVIF, b"avif")}
codecs = pytest.mark.parametrize(("part", "brand"), CODECS.values(), ids=CODECS)


def with_properties(part: Part, *properties: bytes) -> Part:
    return replace(part, properties=[*part.properties, *properties])


def difference(data: bytes, expected: Pixels) -> float:
    pixels = decode(data, Limits()).pixels
    assert pixels.shape == expected.shape
    return float(np.abs(pixels.astype(int) - expected).mean())


def outcome(data: bytes) -> str:
    try:
        photo = decode(data, Limits())
    except Refused as refused:
        return str(refused)
    return f"{photo.width}x{photo.height}"


@pytest.mark.parametrize("name", ["eight_bits", "ten_bits", "full_colour"])
def test_heic_gives_its_pixels_nearly(name: str) -> None:
    assert difference(FILES[name], upright()) < 6


def test_grey_heic_becomes_rgb() -> None:
    pixels = decode(FILES["grey"], Limits()).pixels
    assert np.abs(pixels.astype(int) - upright()[..., :1]).mean() < 6


def test_transparent_heic_lies_over_white() -> None:
    pixels = decode(FILES["transparent"], Limits()).pixels
    assert pixels[:, 0].min() > 230, "the left edge is transparent"
    assert np.abs(pixels[:, -1, 1].astype(int) - upright()[:, -1, 1]).mean() < 6, "the right edge is not"


def test_heic_is_cropped_as_it_says() -> None:
    assert outcome(FILES["cropped"]) == "100x40"


def test_transparent_avif_lies_over_white() -> None:
    image = PIL.Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    assert decode(avif(image), Limits()).pixels.min() > 250


@codecs
@pytest.mark.parametrize("quarters", range(4))
def test_the_picture_s_own_turn_is_applied_once(part: Part, brand: bytes, quarters: int) -> None:
    data = heif(with_properties(part, turned(quarters)), brand=brand)
    assert difference(data, np.rot90(upright(), quarters)) < 6


@codecs
@pytest.mark.parametrize("axis", range(2))
def test_the_picture_s_own_mirror_is_applied_once(part: Part, brand: bytes, axis: int) -> None:
    expected = upright()[::-1] if axis == 0 else upright()[:, ::-1]
    assert difference(heif(with_properties(part, mirrored(axis)), brand=brand), expected) < 6


@codecs
@pytest.mark.parametrize("quarters", [0, 3])
def test_an_exif_orientation_beside_it_is_ignored(part: Part, brand: bytes, quarters: int) -> None:
    """Phones write both, and browsers go by the picture's own."""
    tags = Part(b"Exif", bytes(4) + exif(8).tobytes()[6:], [], {b"cdsc": [1]})
    data = heif(with_properties(part, turned(quarters)), tags, brand=brand)
    assert difference(data, np.rot90(upright(), quarters)) < 6


def test_an_avif_file_from_pillow_with_an_orientation_is_turned() -> None:
    photo = decode(avif(gradient(400, 300), exif=exif(6)), Limits(max_dimension=100))
    assert (photo.width, photo.height, photo.pixels.shape) == (300, 400, (100, 75, 3))


@codecs
def test_tiles_are_put_together(part: Part, brand: bytes) -> None:
    data = heif(grid(2, 2, 2 * WIDTH - 4, 2 * HEIGHT - 2, [2, 3, 4, 5]), *[part] * 4, brand=brand)
    assert difference(data, np.tile(upright(), (2, 2, 1))[:-2, :-4]) < 6


@pytest.mark.parametrize("major", [b"mif1", b"msf1", b"avis", b"hevc", b"miaf"])
@codecs
def test_the_major_brand_does_not_matter(part: Part, brand: bytes, major: bytes) -> None:
    data = heif(part, brand=brand)
    assert difference(data[:8] + major + data[12:], upright()) < 6


@codecs
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_picture_that_was_cut_and_padded_is_damaged(part: Part, brand: bytes, share: float) -> None:
    kept = int(len(part.data) * share)
    padded = replace(part, data=part.data[:kept] + bytes(max(len(part.data) - kept, 64)))
    assert outcome(heif(padded, brand=brand)) == DAMAGED


@codecs
def test_a_stowaway_behind_it_is_ignored(part: Part, brand: bytes) -> None:
    assert difference(heif(part, brand=brand) + b"PK\3\4<script>" * 100, upright()) < 6


@codecs
def test_other_pictures_and_a_film_are_left_alone(part: Part, brand: bytes) -> None:
    broken = Part(part.kind, b"no picture", part.properties, {b"thmb": [1]})
    unknown = Part(b"tmap", b"", [extent(1, 1)], {b"dimg": [1, 2]})
    data = heif(part, broken, unknown, brand=brand, behind=box(b"moov", box(b"trak", b"nonsense")))
    assert difference(data, upright()) < 6


def test_the_first_picture_of_an_avif_animation_counts() -> None:
    red, blue = (PIL.Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    data = avif(red, save_all=True, append_images=[blue, blue])
    assert data[8:12] == b"avis"
    red_, _, blue_ = decode(data, Limits()).pixels[32, 32]
    assert red_ > 240 > 20 > blue_


def test_a_turned_picture_of_a_heic_picture_is_decoded() -> None:
    other = Part(b"iden", b"", [extent(WIDTH, HEIGHT), turned(1)], {b"dimg": [2]})
    assert difference(heif(other, coded()), np.rot90(upright())) < 6


def test_an_upright_photo_is_the_same_in_both() -> None:
    heic, avif_ = (decode(heif(part, brand=brand), Limits()).pixels.astype(int) for part, brand in CODECS.values())
    assert np.abs(heic - avif_).mean() < 8


def test_pillow_opens_what_is_built() -> None:
    assert PIL.Image.open(io.BytesIO(heif(AVIF, brand=b"avif"))).size == (WIDTH, HEIGHT)
