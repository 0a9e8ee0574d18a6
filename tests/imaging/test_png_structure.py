"""PNG chunks: which ones are kept, which ones make the file damaged, and whether all rows are there."""

import zlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.png_structure import essential
from tests.imaging.pictures import DAMAGED, compared, encoded, noise, outcome, png, png_chunk

# Pillow warns of broken EXIF data, which is ignored.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

WIDTH, HEIGHT = 40, 30
# Without black, which stands for missing rows.
NOISE = np.maximum(noise(WIDTH, HEIGHT), 1)
ROWS = b"".join(b"\0" + row.tobytes() for row in NOISE)
# The offsets and steps of the seven passes of Adam7.
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
INTERLACED = b"".join(b"\0" + row.tobytes() for y, x, down, across in ADAM7 for row in NOISE[y::down, x::across])
ANCILLARY = b"iCCP tEXt zTXt iTXt eXIf pHYs gAMA cHRM sRGB tIME acTL fcTL teST".split()


PACKED = {False: zlib.compress(ROWS), True: zlib.compress(INTERLACED)}


def photo(*pieces: bytes, interlaced: bool = False) -> bytes:
    """A PNG file with the pieces of its compressed pixels."""
    return png(WIDTH, HEIGHT, 8, 2, *[(b"IDAT", piece) for piece in pieces], interlaced=interlaced)


def result(data: bytes) -> str:
    return compared(data, NOISE)


def inserted(piece: bytes, before: bytes) -> bytes:
    place = (data := photo(PACKED[False])).index(before) - 4
    return data[:place] + piece + data[place:]


@given(st.sampled_from(ANCILLARY), st.binary(max_size=40), st.sampled_from([b"IDAT", b"IEND"]), st.booleans())
def test_a_chunk_without_pixels_never_spoils_a_photo(kind: bytes, body: bytes, before: bytes, sound: bool) -> None:
    assert result(inserted(png_chunk(kind, body, None if sound else 12345), before)) == "whole"


@pytest.mark.parametrize("kind", [b"CgBI", b"QQQQ"])
def test_an_unknown_critical_chunk_is_damage(kind: bytes) -> None:
    assert result(inserted(png_chunk(kind, b"\x50\0\x20\2"), b"IHDR")) == DAMAGED


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"IEND"])
def test_a_critical_chunk_with_a_wrong_checksum_is_damage(kind: bytes) -> None:
    data = bytearray(photo(PACKED[False]))
    start = data.index(kind)
    data[start + 4 + int.from_bytes(data[start - 4 : start])] ^= 1
    assert result(bytes(data)) == DAMAGED


@given(st.booleans(), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_never_changes_pixels(interlaced: bool, share: float, bit: int) -> None:
    """Even if the chunk's checksum matches: the compressed stream has its own."""
    packed = bytearray(PACKED[interlaced])
    assert result(photo(bytes(packed), interlaced=interlaced)) == "whole"
    packed[int(share * len(packed))] ^= 1 << bit
    # Some bits of the stream carry no data.
    assert result(photo(bytes(packed), interlaced=interlaced)) != "other pixels"


@given(st.integers(0, HEIGHT - 1), st.sampled_from([0, 1, len(ROWS) // HEIGHT - 1]))
def test_missing_rows_are_damage(rows: int, stray: int) -> None:
    assert result(photo(zlib.compress(ROWS[: rows * len(ROWS) // HEIGHT + stray]))) == DAMAGED


@pytest.mark.parametrize(
    ("depth", "colour", "bits"), [(1, 0, 1), (8, 0, 8), (16, 0, 16), (8, 2, 24), (2, 3, 2), (8, 4, 16), (16, 6, 64)]
)
@pytest.mark.parametrize("missing", [0, 1])
def test_a_black_last_row_is_told_from_a_missing_one(depth: int, colour: int, bits: int, missing: int) -> None:
    rows = zlib.compress(bytes(50 * (1 + (49 * bits + 7) // 8) - missing))
    data = png(49, 50, depth, colour, (b"PLTE", bytes(12)), (b"IDAT", rows))
    assert outcome(data) == (DAMAGED if missing else "49x50")


@pytest.mark.parametrize("zeros", [0, 3, 6])
def test_a_file_that_ends_within_its_pixels_is_damaged(zeros: int) -> None:
    """In a picture of one colour, a few zeros decompress to many rows."""
    whole = encoded(PIL.Image.new("L", (300, 300), "white"), compress_level=1)
    # The pixels are followed by 4 bytes of the chunk's checksum and 12 of the last chunk.
    assert {outcome(whole[:-cut] + bytes(zeros)) for cut in range(17 + zeros, 200)} == {DAMAGED}


@given(st.integers(20, 4000))
def test_chunks_of_pixels_are_kept_in_order_and_nothing_need_follow(size: int) -> None:
    packed = PACKED[False]
    data = photo(*(packed[place : place + size] for place in range(0, len(packed), size)))
    assert result(data) == result(data[:-12]) == "whole"


def test_the_chunks_that_the_picture_depends_on_are_kept() -> None:
    data = png(1, 1, 8, 3, (b"PLTE", b"abc"), (b"tRNS", b"\0"), (b"eXIf", b"MM"), (b"IDAT", b"x"))
    assert essential(data) == data
