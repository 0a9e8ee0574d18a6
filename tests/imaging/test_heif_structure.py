"""HEIC and AVIF files that are refused before they are decoded."""

import struct
import tracemalloc
from dataclasses import replace

import pytest

from tests.imaging.heif import (
    HEIGHT,
    WIDTH,
    Part,
    box,
    coded,
    extent,
    full_box,
    grid,
    heif,
    sized,
    turned,
)
from tests.imaging.test_heif import (
    AVIF,
    COMPLEX,
    DAMAGED,
    codecs,
    outcome,
    with_properties,
)


@codecs
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_a_cut_file_is_damaged(part: Part, brand: bytes, share: float) -> None:
    data = heif(part, brand=brand)
    assert outcome(data[: int(share * len(data))]).startswith("INVALID_IMAGE: ")


@pytest.mark.parametrize(("width", "height"), [(WIDTH * 2, HEIGHT), (WIDTH, HEIGHT // 2), (1000, 1000)])
def test_a_size_that_a_heic_picture_does_not_have_is_damage(width: int, height: int) -> None:
    """An AVIF picture is scaled to it."""
    assert outcome(heif(sized(coded(), width, height))) == DAMAGED


@codecs
def test_a_size_beyond_the_limit_is_refused_before_decoding(part: Part, brand: bytes) -> None:
    broken = replace(sized(part, 5001, 5000), data=b"")
    expected = "IMAGE_TOO_LARGE: The image has 5001x5000 pixels; at most 25000000 are accepted"
    assert outcome(heif(broken, brand=brand)) == expected
    tiles = grid(2, 1, 60_000, 50_000, [2, 2])
    assert outcome(heif(tiles, part, brand=brand)).startswith("IMAGE_TOO_LARGE: The image has 60000x50000 pixels")
    assert outcome(heif(sized(part, 6400, 64), brand=brand)).startswith("INVALID_IMAGE: The image has 6400x64 pixels")


PROFILE = int.from_bytes(b"\x55" * 11)


class BitWriter:
    """Puts numbers of any length together."""

    def __init__(self) -> None:
        self._text = ""

    def put(self, *fields: tuple[int, int]) -> "BitWriter":
        self._text += "".join(f"{value:0{size}b}" for value, size in fields)
        return self

    def put_golomb(self, *values: int) -> "BitWriter":
        for value in values:
            digits = f"{value + 1:b}"
            self._text += "0" * (len(digits) - 1) + digits
        return self

    def data(self) -> bytes:
        text = self._text + "1"
        return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))


def parameter_set(width: int, height: int, layers: int = 0, chroma: int = 1, depth: int = 8) -> bytes:
    """A HEVC sequence parameter set up to its depths, with as many profiles of lower layers."""
    bits = BitWriter().put((0, 4), (layers, 3), (0, 1), (PROFILE, 88), (90, 8))
    if layers:
        bits.put(*[(3, 2)] * layers, *[(0, 2)] * (8 - layers), *[(PROFILE, 88), (1, 8)] * layers)
    return b"\x42\x01" + bits.put_golomb(0, chroma, width, height).put((0, 1)).put_golomb(depth - 8, depth - 8).data()


@pytest.mark.parametrize("layers", range(3))
def test_a_heic_picture_coded_larger_than_its_header_says_is_refused(layers: int) -> None:
    part = coded()
    unit = parameter_set(16_000, 16_000, layers)
    lying = replace(part, data=struct.pack(">I", len(unit)) + unit + part.data)
    expected = "IMAGE_TOO_LARGE: The image is coded in 256000000 pixels; at most 30000000 are accepted"
    assert outcome(heif(lying)) == expected


@pytest.mark.parametrize(("chroma", "depth"), [(0, 8), (1, 10), (1, 15), (2, 8)])
def test_heic_samples_of_another_form_than_the_configuration_s_are_damage(chroma: int, depth: int) -> None:
    """They made pi-heif 1.4.0 write beyond its memory."""
    unit = parameter_set(WIDTH, HEIGHT, chroma=chroma, depth=depth)
    part = coded()
    assert outcome(heif(replace(part, data=struct.pack(">I", len(unit)) + unit + part.data))) == DAMAGED


@pytest.mark.parametrize("name", ["eight_bits", "ten_bits", "full_colour", "grey"])
def test_a_heic_configuration_that_says_another_form_is_damage(name: str) -> None:
    part = coded(name)
    for place, flip in ((16, 1), (16, 2), (17, 2), (17, 5)):
        properties = [bytearray(each) for each in part.properties]
        (configuration,) = (each for each in properties if each[4:8] == b"hvcC")
        configuration[8 + place] ^= flip
        assert outcome(heif(replace(part, properties=[bytes(each) for each in properties]))) == DAMAGED


@pytest.mark.parametrize("other", ["grey", "full_colour", "ten_bits"])
def test_heic_tiles_of_different_forms_are_damage(other: str) -> None:
    assert outcome(heif(grid(2, 1, 2 * WIDTH, HEIGHT, [2, 3]), coded(), coded(other))) == DAMAGED


def sequence_header(width: int, height: int, *, reduced: bool, timing: bool = False) -> bytes:
    """An AV1 sequence header, in a unit of its own."""
    bits = BitWriter().put((0, 3), (1, 1), (reduced, 1))
    if reduced:
        bits.put((8, 5))
    else:
        bits.put((timing, 1))
        if timing:
            bits.put((1, 32), (30, 32), (0, 1), (1, 1), (9, 5), (1, 32), (9, 5), (9, 5))
        bits.put((1, 1), (0, 5), (0, 12), (8, 5), (0, 1))
        if timing:
            bits.put((1, 1), (7, 10), (7, 10), (0, 1))
        bits.put((1, 1), (3, 4))
    bits.put((15, 4), (15, 4), (width - 1, 16), (height - 1, 16))
    if not reduced:
        bits.put((1, 1), (2, 4), (1, 3))
    bits.put((0, 3))
    if not reduced:
        bits.put((0, 4), (1, 1), (0, 2), (0, 1), (1, 1), (0, 1), (0, 1), (6, 3))
    body = bits.put((0, 20)).data()
    return bytes([1 << 3 | 2, len(body)]) + body


def frame_header(*, own_size: bool, timing: bool = False) -> bytes:
    """A shown key frame's header that is not reduced, for the sequence header above."""
    bits = BitWriter().put((0, 1), (0, 2), (1, 1))
    if timing:
        bits.put((5, 10))
    bits.put((0, 1), (3, 6), (own_size, 1), (0, 40))
    body = bits.data()
    return bytes([6 << 3 | 2, len(body)]) + body


@pytest.mark.parametrize("reduced", [False, True])
def test_an_avif_picture_coded_larger_than_its_header_says_is_refused(reduced: bool) -> None:
    lying = replace(AVIF, data=AVIF.data + sequence_header(16_000, 16_000, reduced=reduced))
    expected = "IMAGE_TOO_LARGE: The image is coded in 256000000 pixels; at most 30000000 are accepted"
    assert outcome(heif(lying, brand=b"avif")) == expected


@pytest.mark.parametrize("timing", [False, True])
def test_an_avif_frame_with_a_size_of_its_own_is_refused(timing: bool) -> None:
    head = sequence_header(WIDTH, HEIGHT, reduced=False, timing=timing)
    data = {own: head + frame_header(own_size=own, timing=timing) for own in (False, True)}
    answers = {own: outcome(heif(replace(AVIF, data=each), brand=b"avif")) for own, each in data.items()}
    assert answers == {False: DAMAGED, True: COMPLEX}, "the frame is no frame, which only the decoder finds"


def test_many_pictures_or_slices_in_one_are_too_complex() -> None:
    part = coded()
    assert outcome(heif(replace(part, data=part.data * 2))) == COMPLEX
    empty = b"\0\0\0\3\x4e\1\0"
    assert outcome(heif(replace(part, data=empty * 2000 + part.data))) == COMPLEX
    slices = b"\0\0\0\3\x02\1\0" * 1000
    assert outcome(heif(sized(replace(part, data=parameter_unit(4000, 4000) + slices), 4000, 4000))) == COMPLEX


def parameter_unit(width: int, height: int) -> bytes:
    unit = parameter_set(width, height)
    return struct.pack(">I", len(unit)) + unit


def test_many_frames_or_units_of_avif_are_too_complex() -> None:
    head, frame = sequence_header(4000, 4000, reduced=True), b"\x32\1\0"
    assert outcome(heif(sized(replace(AVIF, data=head + frame * 40), 4000, 4000), brand=b"avif")) == COMPLEX
    assert outcome(heif(replace(AVIF, data=b"\x12\0" * 2000 + AVIF.data), brand=b"avif")) == COMPLEX


@codecs
def test_bombs_of_boxes_are_too_complex(part: Part, brand: bytes) -> None:
    assert outcome(heif(part, brand=brand, before=box(b"free") * 20_000)) == COMPLEX
    assert outcome(heif(part, *[Part(b"none", b"", [])] * 1100, brand=brand)) == COMPLEX
    tiles = grid(40, 40, 40 * WIDTH, 40 * HEIGHT, [2] * 1600)
    assert outcome(heif(tiles, part, brand=brand)) == COMPLEX
    assert outcome(heif(part, brand=brand, extents=100)) == COMPLEX
    assert outcome(heif(replace(part, data=part.data + bytes(1_000_000)), brand=brand, extents=8)) == COMPLEX


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


LISTS = {
    "pieces without a byte": listed(*[struct.pack(">HHH", 999, 0, 32)] * 1000),
    "places of an unknown item": listed(*[struct.pack(">HHH", 999, 0, 0)] * 20_000),
    "properties": listed(associations=struct.pack(">I", 100) + (struct.pack(">HB", 1, 255) + bytes(255)) * 100),
    "references": listed(references=box(b"auxl", struct.pack(">HH", 1, 20_000), bytes(40_000))),
}


@pytest.mark.parametrize("data", LISTS.values(), ids=LISTS)
def test_bombs_of_lists_are_too_complex(data: bytes) -> None:
    assert outcome(data) == COMPLEX


def test_whatever_a_file_repeats_takes_no_memory_of_its_own() -> None:
    associations = struct.pack(">I", 100) + b"".join(struct.pack(">HBB", n, 1, 1) for n in range(100))
    part = coded()
    files = {
        "a property of all items": listed(properties=box(b"colr", bytes(1_000_000)), associations=associations),
        "units": heif(replace(part, data=b"\0\0\0\3\x4e\1\0" * 200_000 + part.data)),
    }
    for name, data in files.items():
        tracemalloc.start()
        outcome(data)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 4 * len(data), name


@pytest.mark.parametrize("place", ["configuration", "size"])
def test_a_property_that_every_tile_reads_counts_as_often(place: str) -> None:
    part = coded()
    kind = b"hvcC" if place == "configuration" else b"ispe"
    large = [box(kind, each[8:], bytes(200_000)) if each[4:8] == kind else each for each in part.properties]
    tiles = grid(20, 20, 20 * WIDTH, 20 * HEIGHT, [2] * 400)
    assert outcome(heif(tiles, replace(part, properties=large))) == COMPLEX


@codecs
def test_what_no_encoder_writes_is_damage(part: Part, brand: bytes) -> None:
    circle = Part(b"iden", b"", [extent(WIDTH, HEIGHT)], {b"dimg": [1]})
    files = {
        "made of itself": heif(circle),
        "turned often": heif(with_properties(part, *[turned(1)] * 200), brand=brand),
        "two sizes": heif(with_properties(part, extent(9, 9)), brand=brand),
        "no size": heif(replace(part, properties=part.properties[:0]), brand=brand),
        "too few tiles": heif(grid(2, 2, 100, 90, [2, 2, 2]), part, brand=brand),
        "another size in the grid": heif(
            replace(grid(2, 1, 120, 40, [2, 2]), properties=[extent(99, 40)]), part, brand=brand
        ),
        "no such picture": heif(part, brand=brand, primary=7),
        "a thing of another kind": heif(replace(part, kind=b"jpeg"), brand=brand),
        "two codecs": heif(grid(2, 1, 128, 48, [2, 3]), coded(), AVIF),
        "a film only": box(b"ftyp", brand, bytes(4), brand) + box(b"moov", box(b"trak")),
        "two lists": heif(part, brand=brand, before=full_box(b"meta")),
        "nothing": box(b"ftyp", brand, bytes(4), brand),
        "a box that is too long": heif(part, brand=brand, before=struct.pack(">I", 2**31) + b"free"),
    }
    assert {name: outcome(data) for name, data in files.items()} == dict.fromkeys(files, DAMAGED)
