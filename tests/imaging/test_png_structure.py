"""PNG chunks: which are kept, which make the file damaged, and whether all rows are there."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.decode import Limits, decode
from imaging.png_structure import essential
from imaging.refused import Refused
from tests.imaging.hostile import Chunk, png

# Pillow says so of broken EXIF data, which does not spoil a photo.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

WIDTH, HEIGHT = 40, 30
NOISE = np.random.default_rng(0).integers(1, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
ROWS = b"".join(b"\0" + row.tobytes() for row in NOISE)
ANCILLARY = ("iCCP", "tEXt", "zTXt", "iTXt", "eXIf", "pHYs", "gAMA", "cHRM", "sRGB", "tIME", "acTL", "fcTL", "teST")
DAMAGED = "INVALID_IMAGE: The image is damaged and cannot be decoded"


def chunk(name: bytes, body: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(name + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def photo(*chunks: Chunk, rows: bytes = ROWS) -> bytes:
    return png(WIDTH, HEIGHT, 8, 2, *chunks, (b"IDAT", zlib.compress(rows)))


def outcome(data: bytes) -> str:
    try:
        pixels = decode(data, Limits()).pixels
    except Refused as refused:
        return str(refused)
    return "whole" if np.array_equal(pixels, NOISE) else "other pixels"


def with_chunk(piece: bytes, before: bytes) -> bytes:
    data = photo()
    place = data.index(before) - 4
    return data[:place] + piece + data[place:]


@given(name=st.sampled_from(ANCILLARY), body=st.binary(max_size=40), behind=st.booleans(), sound=st.booleans())
def test_a_chunk_without_pixels_never_spoils_a_photo(name: str, body: bytes, behind: bool, sound: bool) -> None:
    piece = chunk(name.encode(), body, None if sound else 12345)
    assert outcome(with_chunk(piece, b"IEND" if behind else b"IDAT")) == "whole"


@pytest.mark.parametrize("name", [b"CgBI", b"QQQQ"])
def test_an_unknown_critical_chunk_is_damage(name: bytes) -> None:
    assert outcome(with_chunk(chunk(name, b"\x50\0\x20\2"), b"IHDR")) == DAMAGED


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT", b"IEND"])
def test_a_critical_chunk_with_a_wrong_checksum_is_damage(name: bytes) -> None:
    data = bytearray(photo())
    start = data.index(name)
    data[start + 4 + int.from_bytes(data[start - 4 : start])] ^= 1
    assert outcome(bytes(data)) == DAMAGED


def interlaced() -> bytes:
    """The rows of the seven passes of Adam7."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    return b"".join(b"\0" + row.tobytes() for y, x, down, across in passes for row in NOISE[y::down, x::across])


def photo_of(packed: bytes, checksum: int | None = None, adam7: bool = False) -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, adam7)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed, checksum) + chunk(b"IEND", b"")


@pytest.mark.parametrize("rows", [ROWS, interlaced()], ids=["plain", "interlaced"])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), sound=st.booleans())
def test_a_flipped_bit_in_the_pixels_is_damage(rows: bytes, share: float, bit: int, sound: bool) -> None:
    """Also with a checksum that fits: the compressed stream has one of its own."""
    packed = bytearray(zlib.compress(rows))
    adam7 = rows is not ROWS
    assert outcome(photo_of(bytes(packed), adam7=adam7)) == "whole"
    checksum = zlib.crc32(b"IDAT" + packed)
    packed[int(share * len(packed))] ^= 1 << bit
    spoiled = photo_of(bytes(packed), None if sound else checksum, adam7)
    # A bit of the stream's header that says how it was compressed does not matter.
    assert outcome(spoiled) in ((DAMAGED, "whole") if sound else (DAMAGED,))


@given(rows=st.integers(0, HEIGHT - 1), stray=st.sampled_from([0, 1, 1 + 3 * WIDTH - 1]))
def test_missing_rows_are_damage(rows: int, stray: int) -> None:
    assert outcome(photo(rows=ROWS[: rows * (1 + 3 * WIDTH) + stray])) == DAMAGED


@pytest.mark.parametrize(
    ("depth", "colour", "bits"), [(1, 0, 1), (8, 0, 8), (16, 0, 16), (8, 2, 24), (2, 3, 2), (8, 4, 16), (16, 6, 64)]
)
def test_a_black_last_row_is_not_taken_for_a_missing_one(depth: int, colour: int, bits: int) -> None:
    rows = zlib.compress(bytes(50 * (1 + (49 * bits + 7) // 8)))
    assert decode(png(49, 50, depth, colour, (b"PLTE", bytes(12)), (b"IDAT", rows)), Limits()).height == 50


def test_a_file_that_ends_behind_its_pixels_is_whole() -> None:
    assert outcome(photo()[:-12]) == "whole"


@pytest.mark.parametrize("zeros", [0, 3, 6])
def test_a_file_that_ends_within_its_pixels_is_damaged(zeros: int) -> None:
    """Of flat pixels, a few zeros unpack to many rows."""
    file = io.BytesIO()
    PIL.Image.new("L", (300, 300), "white").save(file, "PNG", compress_level=1)
    # Behind the pixels come 4 bytes of the chunk's checksum and 12 of the last chunk.
    cuts = range(17 + zeros, 200)
    assert {outcome(file.getvalue()[:-cut] + bytes(zeros)) for cut in cuts} == {DAMAGED}


def test_pixels_in_many_chunks_are_kept_in_order() -> None:
    packed = zlib.compress(ROWS)
    pieces = [(b"IDAT", packed[place : place + 100]) for place in range(0, len(packed), 100)]
    assert outcome(png(WIDTH, HEIGHT, 8, 2, *pieces)) == "whole"


def test_what_the_picture_depends_on_is_kept() -> None:
    data = png(1, 1, 8, 3, (b"PLTE", b"abc"), (b"tRNS", b"\0"), (b"eXIf", b"MM"), (b"IDAT", b"x"))
    assert essential(data) == data
