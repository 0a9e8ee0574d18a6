"""HEIC and AVIF: which picture of a file is decoded, and its orientation."""

import numpy as np
import PIL.Image
import pytest

from imaging.decode import Limits, decode
from imaging.faces import Pixels
from tests.imaging.heif import (
    FILES,
    HEIC,
    HEIGHT,
    UPRIGHT,
    WIDTH,
    Part,
    box,
    codecs,
    extent,
    grid,
    heif,
    mirrored,
    turned,
)
from tests.imaging.pictures import DAMAGED, difference, encoded, exif, outcome

TURNS = [[turned(quarters)] for quarters in range(4)] + [[mirrored(0)], [mirrored(1)]]
SHOWN: list[Pixels] = [np.rot90(UPRIGHT, quarters) for quarters in range(4)] + [UPRIGHT[::-1], UPRIGHT[:, ::-1]]


@pytest.mark.parametrize("name", ["eight_bits", "ten_bits", "full_colour", "grey"])
def test_a_heic_file_gives_nearly_its_pixels(name: str) -> None:
    assert difference(FILES[name], UPRIGHT[..., [0, 0, 0]] if name == "grey" else UPRIGHT) < 6


def test_a_cropped_picture_has_its_smaller_size() -> None:
    assert outcome(FILES["cropped"]) == "100x40"


def test_transparency_is_put_over_white() -> None:
    pixels = decode(FILES["transparent"], Limits()).pixels
    assert pixels[:, 0].min() > 230, "the left edge is transparent"
    assert np.abs(pixels[:, -1, 1].astype(int) - UPRIGHT[:, -1, 1]).mean() < 6, "the right edge is not"
    avif = encoded(PIL.Image.new("RGBA", (32, 32), (0, 0, 0, 0)), "AVIF")
    assert decode(avif, Limits()).pixels.min() > 250


@codecs
def test_a_grid_of_tiles_is_put_together(part: Part) -> None:
    data = heif(grid(2, 2, 2 * WIDTH - 4, 2 * HEIGHT - 2, [2, 3, 4, 5]), *[part] * 4)
    for file in (data, *(FILES[name] for name in FILES if "grid" in name)):
        assert difference(file, np.tile(UPRIGHT, (2, 2, 1))[:-2, :-4]) < 6


@codecs
@pytest.mark.parametrize(("turns", "expected"), list(zip(TURNS, SHOWN, strict=True)))
def test_the_picture_s_own_orientation_counts_and_exif_does_not(
    part: Part, turns: list[bytes], expected: Pixels
) -> None:
    """Phones write both, and browsers use the picture's own."""
    tags = Part(b"Exif", bytes(4) + exif(8).tobytes()[6:], [], {b"cdsc": [1]})
    data = heif(part.having(*turns), tags)
    assert difference(data, expected) < 6


def test_a_picture_derived_from_another_is_decoded() -> None:
    derived = Part(b"iden", b"", [extent(WIDTH, HEIGHT), turned(1)], {b"dimg": [2]})
    assert difference(heif(derived, HEIC), np.rot90(UPRIGHT)) < 6


@pytest.mark.parametrize("major", [b"mif1", b"msf1", b"avis", b"hevc", b"miaf"])
@codecs
def test_the_major_brand_and_everything_beside_the_primary_picture_are_ignored(part: Part, major: bytes) -> None:
    broken = Part(part.kind, b"no picture", part.properties, {b"thmb": [1]})
    unknown = Part(b"tmap", b"", [extent(1, 1)], {b"dimg": [1, 2]})
    data = heif(part, broken, unknown, behind=box(b"moov", box(b"trak", b"nonsense")))
    assert difference(data[:8] + major + data[12:] + b"PK\3\4<script>" * 100, UPRIGHT) < 6


@codecs
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_picture_that_was_truncated_and_padded_is_damaged(part: Part, share: float) -> None:
    kept = int(len(part.data) * share)
    padded = part.holding(part.data[:kept] + bytes(max(len(part.data) - kept, 64)))
    assert outcome(heif(padded)) == DAMAGED
