"""HEIC and AVIF files that are refused before they are decoded."""

import struct
import tracemalloc
from collections.abc import Callable

import pytest

from imaging.decode import Limits
from imaging.heif_structure import read_still
from project.request_error import RequestError
from tests.imaging.coded_headers import av1_sequence, hevc_units, parameter_set
from tests.imaging.heif import (
    AVIF,
    HEIC,
    HEIGHT,
    WIDTH,
    Part,
    box,
    codecs,
    coded,
    extent,
    full_box,
    grid,
    heif,
    turned,
)
from tests.imaging.pictures import COMPLEX, DAMAGED, outcome

SEQUENCES: dict[bytes, Callable[[int], bytes]] = {
    b"hvc1": lambda side: hevc_units(parameter_set(side, side)),
    b"av01": lambda side: av1_sequence(side, side),
}
FRAMES = {b"hvc1": hevc_units(b"\x02\1\1"), b"av01": b"\x32\1\0"}


@codecs
def test_a_size_beyond_the_limit_is_refused_before_decoding(part: Part) -> None:
    broken = part.sized(5001, 5000).holding(b"")
    expected = "IMAGE_TOO_LARGE: The image has 5001x5000 pixels; the maximum is 25000000"
    assert outcome(heif(broken)) == expected
    tiles = grid(2, 1, 60_000, 50_000, [2, 2])
    assert outcome(heif(tiles, part)).startswith("IMAGE_TOO_LARGE: The image has 60000x50000 pixels")
    assert outcome(heif(part.sized(6400, 64))).startswith("INVALID_IMAGE: The image is too narrow: 6400x64 pixels")
    small = Limits(max_pixels=WIDTH * HEIGHT - 1)
    assert outcome(heif(part), small).startswith("IMAGE_TOO_LARGE: The image has 128x64 pixels; the maximum is 8191")


@codecs
def test_a_picture_coded_larger_than_its_header_is_refused(part: Part) -> None:
    lying = part.holding(SEQUENCES[part.kind](16_000) + part.data)
    expected = "IMAGE_TOO_LARGE: The image has 256000000 coded pixels; the maximum is 30000000"
    assert outcome(heif(lying)) == expected


@codecs
def test_many_passes_over_many_pixels_are_too_complex(part: Part) -> None:
    for passes, expected in ((25, DAMAGED), (26, COMPLEX)):
        busy = part.holding(SEQUENCES[part.kind](4000) + FRAMES[part.kind] * passes).sized(4000, 4000)
        assert outcome(heif(busy)) == expected


@pytest.mark.parametrize("other", ["grey", "full_colour", "ten_bits"])
def test_heic_tiles_of_different_sample_formats_are_damage(other: str) -> None:
    with pytest.raises(RequestError, match="damaged"):
        read_still(heif(grid(2, 1, 2 * WIDTH, HEIGHT, [2, 3]), HEIC, coded(other)))


@pytest.mark.parametrize(("width", "height"), [(WIDTH * 2, HEIGHT), (WIDTH, HEIGHT // 2), (1000, 1000)])
def test_a_size_that_a_heic_picture_does_not_have_is_damage(width: int, height: int) -> None:
    """An AVIF picture is scaled to it."""
    assert outcome(heif(HEIC.sized(width, height))) == DAMAGED


@codecs
def test_floods_of_boxes_items_tiles_and_extents_are_too_complex(part: Part) -> None:
    assert outcome(heif(part, before=box(b"free") * 20_000)) == COMPLEX
    assert outcome(heif(part, *[Part(b"none", b"", [])] * 900)) == "128x64"
    assert outcome(heif(part, *[Part(b"none", b"", [])] * 1024)) == COMPLEX
    tiles = grid(27, 19, 27 * WIDTH, 19 * HEIGHT, [2] * 513)
    assert outcome(heif(tiles, part)) == COMPLEX
    assert outcome(heif(part, extents=33)) == COMPLEX
    assert outcome(heif(part.holding(part.data + bytes(1_000_000)), extents=8)) == COMPLEX


def listed(*entries: bytes, properties: bytes = b"", associations: bytes = b"", references: bytes = b"") -> bytes:
    """A file without a picture: a list of 100 items, and others."""
    items = b"".join(full_box(b"infe", struct.pack(">HH", n, 0), b"none", b"\0", version=2) for n in range(100))
    meta = full_box(
        b"meta",
        full_box(b"pitm", b"\0\1"),
        full_box(b"iinf", struct.pack(">H", 100), items),
        full_box(b"iloc", struct.pack(">BBH", 0, 0, len(entries)), *entries),
        box(b"iprp", box(b"ipco", properties), full_box(b"ipma", associations or bytes(4))),
        full_box(b"iref", references),
    )
    return box(b"ftyp", b"heic", bytes(4), b"heic") + meta


def test_floods_of_list_entries_are_too_complex() -> None:
    properties = (struct.pack(">HB", 1, 255) + bytes(255)) * 100
    files = {
        "pieces without a byte": listed(*[struct.pack(">HHH", 999, 0, 32)] * 1000),
        "places of an unknown item": listed(*[struct.pack(">HHH", 999, 0, 0)] * 20_000),
        "properties": listed(associations=struct.pack(">I", 100) + properties),
        "references": listed(references=box(b"auxl", struct.pack(">HH", 1, 20_000), bytes(40_000))),
    }
    assert {name: outcome(data) for name, data in files.items()} == dict.fromkeys(files, COMPLEX)


def test_repeated_parts_of_a_file_take_no_memory_of_their_own() -> None:
    associations = struct.pack(">I", 100) + b"".join(struct.pack(">HBB", n, 1, 1) for n in range(100))
    files = {
        "a property of all items": listed(properties=box(b"colr", bytes(1_000_000)), associations=associations),
        "units": heif(HEIC.holding(b"\0\0\0\3\x4e\1\0" * 200_000 + HEIC.data)),
    }
    for name, data in files.items():
        tracemalloc.start()
        outcome(data)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 4 * len(data), name


@pytest.mark.parametrize("kind", [b"hvcC", b"ispe"])
def test_a_property_that_every_tile_reads_counts_for_each(kind: bytes) -> None:
    large = [box(kind, each[8:], bytes(200_000)) if each[4:8] == kind else each for each in HEIC.properties]
    tiles = grid(20, 20, 20 * WIDTH, 20 * HEIGHT, [2] * 400)
    assert outcome(heif(tiles, Part(b"hvc1", HEIC.data, large))) == COMPLEX


def test_pictures_are_nested_up_to_three_levels() -> None:
    derived = [Part(b"iden", b"", [extent(WIDTH, HEIGHT)], {b"dimg": [number + 2]}) for number in range(4)]
    assert read_still(heif(*derived[:3], HEIC)).coded == WIDTH * HEIGHT
    assert outcome(heif(*derived, HEIC)) == DAMAGED


@codecs
def test_a_structure_that_no_encoder_writes_is_damage(part: Part) -> None:
    files = {
        "made of itself": heif(Part(b"iden", b"", [extent(WIDTH, HEIGHT)], {b"dimg": [1]})),
        "turned twice": heif(part.having(turned(1), turned(1))),
        "two sizes": heif(part.having(extent(9, 9))),
        "no size": heif(Part(part.kind, part.data, [])),
        "no width": heif(part.sized(0, HEIGHT)),
        "too few tiles": heif(grid(2, 2, 100, 90, [2, 2, 2]), part),
        "a grid of another size": heif(grid(2, 1, 120, 40, [2, 2]).sized(99, 40), part),
        "a missing picture": heif(part, primary=7),
        "another kind of item": heif(Part(b"jpeg", part.data, part.properties)),
        "two codecs": heif(grid(2, 1, 128, 48, [2, 3]), HEIC, AVIF),
        "a video only": box(b"ftyp", b"heic", bytes(4), b"avif") + box(b"moov", box(b"trak")),
        "two lists": heif(part, before=full_box(b"meta")),
        "nothing": box(b"ftyp", b"heic", bytes(4), b"avif"),
        "a box that is too long": heif(part, before=struct.pack(">I", 2**31) + b"free"),
    }
    assert {name: outcome(data) for name, data in files.items()} == dict.fromkeys(files, DAMAGED)
